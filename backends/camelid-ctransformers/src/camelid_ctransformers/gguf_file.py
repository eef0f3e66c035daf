"""Reading a GGUF file: its metadata, its tensors, its vocabulary, and whether ctransformers can compute it."""

from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid_ctransformers.binary import BinaryFile, opened
from camelid_ctransformers.element_types import tensor_bytes

__all__ = ("GGUF_MAGIC", "GGUFFile", "Tensor", "Value", "read_gguf")

GGUF_MAGIC: Final = b"GGUF"

Value: TypeAlias = int | float | bool | bytes | list[int] | list[float] | list[bytes]
"""A value of the metadata; strings are bytes, since vocabularies need not be UTF-8."""

_MOST_ITEMS: Final = 1_000_000
_CODES: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 7: "B", 10: "Q", 11: "q"}
"""Integers, by their numbers in GGUF."""
_DECIMALS: Final = {6: "f", 12: "d"}
_BOOL, _STRING, _ARRAY = 7, 8, 9
_DEFAULT_ALIGNMENT: Final = 32


class Tensor(msgspec.Struct, frozen=True):
    """Where a tensor is."""

    name: str
    kind: int
    """Number of the element type."""
    shape: tuple[int, ...]
    """The dimension whose elements lie side by side first."""
    offset: int
    """Bytes from the beginning of the file."""
    size: int
    """Bytes."""


class GGUFFile(msgspec.Struct, frozen=True):
    """What stands in a GGUF file before its weights."""

    version: int
    metadata: dict[str, Value]
    tensors: dict[str, Tensor]
    name: str
    """Whose file it is, for errors."""

    @property
    def architecture(self) -> str:
        """The model's family."""
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """A string; empty if there is none."""
        value = self.metadata.get(key)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""

    def whole(self, key: str) -> int | None:
        """An integer; None if there is none."""
        value = self.metadata.get(key)
        return int(value) if isinstance(value, int) else None

    def decimal(self, key: str) -> float | None:
        """A number; None if there is none."""
        value = self.metadata.get(key)
        return float(value) if isinstance(value, int | float) else None

    def tokens(self) -> list[bytes]:
        """The texts of its tokens, as tokenizers write them.

        Raises:
            InvalidModelFileError: there are none.
        """
        value = self.metadata.get("tokenizer.ggml.tokens")
        found = [text for text in value if isinstance(text, bytes)] if isinstance(value, list) else []
        if not found:
            raise InvalidModelFileError(f"the file of {self.name} has no vocabulary")
        return found

    def fact(self, key: str) -> int:
        """An integer of the architecture that the model cannot be without.

        Raises:
            InvalidModelFileError: it is missing, or absurd.
        """
        value = self.whole(f"{self.architecture}.{key}")
        if value is None or not 0 < value < 2**31:
            raise InvalidModelFileError(f"the file of {self.name} does not say its {key}")
        return value


def read_gguf(path: Path, name: str) -> GGUFFile:
    """Read a file, all but its weights.

    Args:
        path: where it is.
        name: whose file it is, for errors: `model 'x'`.

    Raises:
        InvalidModelFileError: it is damaged, or no GGUF file.
        ModelLoadError: it cannot be opened, or has tensors that ctransformers does not know.
    """
    with opened(path, name) as file:
        if file.read(min(len(GGUF_MAGIC), file.size)) != GGUF_MAGIC:
            raise InvalidModelFileError(f"the file of {name} is not a GGUF file")
        version = file.number("I")
        if version not in (1, 2, 3):
            raise file.broken(f"it has the version {version} of the format")
        length = "I" if version == 1 else "Q"
        tensors, pairs = file.numbers(length, 2)
        if max(tensors, pairs) > _MOST_ITEMS:
            raise file.broken("it has too many entries")
        metadata = {}
        for _ in range(pairs):
            key = file.text(length).decode("utf-8", "replace")
            metadata[key] = _read_value(file, file.number("I"), length)
        infos = [_read_info(file, length) for _ in range(tensors)]
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment > 1 << 20 or alignment & (alignment - 1):
            raise file.broken(f"its alignment is {alignment!r}")
        if infos:
            file.align(alignment)
        found = [_placed(file, info) for info in infos]
    return GGUFFile(version, metadata, {tensor.name: tensor for tensor in found}, name)


def _read_value(file: BinaryFile, kind: int, length: str) -> Value:
    if kind == _ARRAY:
        element, count = file.number("I"), file.number(length)
        if count > file.rest:
            raise file.broken(f"it ends where an array of {count} elements should be")
        return _read_values(file, element, count, length)
    value = _read_values(file, kind, 1, length)[0]
    return bool(value) if kind == _BOOL else value


def _read_values(file: BinaryFile, kind: int, count: int, length: str) -> list[int] | list[float] | list[bytes]:
    if kind == _STRING:
        return [file.text(length) for _ in range(count)]
    if kind in _CODES:
        return list(file.numbers(_CODES[kind], count))
    if kind in _DECIMALS:
        return list(file.decimals(_DECIMALS[kind], count))
    raise file.broken(f"a value has the unknown type {kind}")


def _read_info(file: BinaryFile, length: str) -> Tensor:
    """A tensor, whose offset counts from the end of the header yet."""
    name = file.text(length).decode("utf-8", "replace")
    dimensions = file.number("I")
    if not 1 <= dimensions <= 4:
        raise file.broken(f"the tensor {name!r} has {dimensions} dimensions")
    shape = file.numbers(length, dimensions)
    kind, offset = file.number("I"), file.number("Q")
    size = tensor_bytes(kind, shape)
    if size is None:
        raise ModelLoadError(f"ctransformers has no tensors as {name!r} (element type {kind}, shape {shape})")
    return Tensor(name, kind, shape, offset, size)


def _placed(file: BinaryFile, tensor: Tensor) -> Tensor:
    """The tensor with its place in the file; the header was just read."""
    offset = file.position + tensor.offset
    if offset + tensor.size > file.size:
        raise file.broken(f"it ends before the tensor {tensor.name!r} does")
    return msgspec.structs.replace(tensor, offset=offset)
