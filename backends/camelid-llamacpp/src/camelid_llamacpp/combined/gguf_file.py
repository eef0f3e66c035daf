"""Reading the header of a GGUF file for writing it anew: values stay bytes, tensors are where they are.

Files come from outside: nothing is believed that the file's size does not bear out.
"""

import mmap
import struct
from collections.abc import Mapping
from contextlib import closing
from math import prod
from pathlib import Path
from typing import Final

import msgspec

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.element_types import ELEMENT_TYPES
from camelid_llamacpp.combined.values import ARRAY, NUMBERS, STRING, text_of

__all__ = ("GGUF_MAGIC", "GGUFFile", "Tensor", "read_gguf")

GGUF_MAGIC: Final = b"GGUF"

_VERSIONS: Final = (2, 3)
_MOST_VALUES: Final = 1 << 16
_MOST_TENSORS: Final = 1 << 17
_MOST_STRINGS: Final = 1 << 22
_MOST_DIMENSIONS: Final = 4
_MOST_ELEMENTS: Final = 1 << 62
_LONGEST: Final = (1 << 31) - 1
"""Elements along one dimension, also of tensors that have none at all."""
_DEFAULT_ALIGNMENT: Final = 32
_MOST_ALIGNMENT: Final = 1 << 20


class Tensor(msgspec.Struct, frozen=True):
    """Where a tensor lies."""

    kind: int
    """Number of its element type."""
    shape: tuple[int, ...]
    """The dimension whose elements lie side by side first."""
    offset: int
    """Bytes from the beginning of the file."""
    size: int | None
    """Bytes; None if the element type is younger than what is known here."""


class GGUFFile(msgspec.Struct, frozen=True):
    """What stands in a GGUF file before its weights."""

    path: Path
    owner: str
    """Whose file it is, for errors: `model 'x'`."""
    metadata: Mapping[str, bytes]
    """Values as they lie in the file, in the file's order."""
    tensors: Mapping[str, Tensor]

    @property
    def architecture(self) -> str:
        """The model's family, as the file calls it."""
        value = self.metadata.get("general.architecture")
        return "" if value is None else text_of(value)


def read_gguf(path: Path, owner: str) -> GGUFFile:
    """Read all but the weights.

    Args:
        path: of the file.
        owner: whose it is, for errors: `model 'x'`.

    Raises:
        ModelLoadError: it cannot be opened.
        InvalidModelFileError: it is no GGUF file, or a damaged one.
    """
    try:
        with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
            return _Reader(content, owner).read(path)
    except (OSError, ValueError) as error:  # an empty file is a ValueError
        raise ModelLoadError(f"the file of {owner} cannot be read", reason=str(error)) from error


class _Reader:
    """A place in the file; bytes are only taken where there are some."""

    def __init__(self, content: mmap.mmap, owner: str) -> None:
        self._content = content
        self._owner = owner
        self._at = 0
        self._strings = _MOST_STRINGS

    def read(self, path: Path) -> GGUFFile:
        """The whole header."""
        if self._take(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise InvalidModelFileError(f"the file of {self._owner} is not a GGUF file")
        version = self._number("<I")
        if version not in _VERSIONS:
            raise self._broken(f"it has the version {version} of the format")
        tensor_count, value_count = self._number("<Q"), self._number("<Q")
        if tensor_count > _MOST_TENSORS or value_count > _MOST_VALUES:
            raise self._broken(f"it has {tensor_count} tensors and {value_count} values")
        metadata: dict[str, bytes] = {}
        for _ in range(value_count):
            key = self._text()
            if key in metadata:
                raise self._broken(f"it says {key[:100]!r} twice")
            metadata[key] = self._value()
        tensors: dict[str, Tensor] = {}
        for _ in range(tensor_count):
            name = self._text()
            if name in tensors:
                raise self._broken(f"it has the tensor {name[:100]!r} twice")
            tensors[name] = self._tensor(name)
        start = -(-self._at // self._alignment(metadata)) * self._alignment(metadata)
        placed = {name: self._placed(name, tensor, start) for name, tensor in tensors.items()}
        return GGUFFile(path, self._owner, metadata, placed)

    def _alignment(self, metadata: Mapping[str, bytes]) -> int:
        value = metadata.get("general.alignment")
        number = _DEFAULT_ALIGNMENT if value is None else int.from_bytes(value[4:8], "little")
        if not 0 < number <= _MOST_ALIGNMENT or number & (number - 1):
            raise self._broken(f"its alignment is {number}")
        return number

    def _value(self) -> bytes:
        start, kind = self._at, self._number("<I")
        if kind == ARRAY:
            element, count = self._number("<I"), self._number("<Q")
            self._skip_values(element, count)
        else:
            self._skip_values(kind, 1)
        return self._content[start : self._at]

    def _skip_values(self, kind: int, count: int) -> None:
        if kind in NUMBERS:
            self._skip(count * NUMBERS[kind].size)
            return
        if kind != STRING:
            raise self._broken(f"a value has the type {kind}")
        self._strings -= count
        if self._strings < 0:
            raise self._broken("its arrays are too long")
        # The hot loop: vocabularies have hundreds of thousands of words.
        at, unpack, content, last = self._at, struct.Struct("<Q").unpack_from, self._content, len(self._content) - 8
        for _ in range(count):
            if at > last:
                raise self._broken("it ends too early")
            at += 8 + unpack(content, at)[0]
        self._skip(at - self._at)

    def _tensor(self, name: str) -> Tensor:
        """A tensor, whose offset counts from the end of the header yet."""
        dimensions = self._number("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise self._broken(f"the tensor {name[:100]!r} has {dimensions} dimensions")
        shape = tuple(self._number("<Q") for _ in range(dimensions)) or (1,)
        kind, offset = self._number("<I"), self._number("<Q")
        _, block, block_bytes = ELEMENT_TYPES.get(kind, ("", 1, 0))
        elements = prod(shape)
        if max(shape) > _LONGEST or elements > _MOST_ELEMENTS or shape[0] % block:
            raise self._broken(f"the tensor {name[:100]!r} has the shape {shape}")
        return Tensor(kind, shape, offset, elements // block * block_bytes if block_bytes else None)

    def _placed(self, name: str, tensor: Tensor, start: int) -> Tensor:
        offset = start + tensor.offset
        if offset + (tensor.size or 0) > len(self._content):
            raise self._broken(f"it ends before the tensor {name[:100]!r} does")
        return msgspec.structs.replace(tensor, offset=offset)

    def _text(self) -> str:
        return self._take(self._number("<Q")).decode("utf-8", "surrogateescape")

    def _number(self, layout: str) -> int:
        number: int = struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        return number

    def _take(self, size: int) -> bytes:
        start = self._at
        self._skip(size)
        return self._content[start : self._at]

    def _skip(self, size: int) -> None:
        if size > len(self._content) - self._at:
            raise self._broken("it ends too early")
        self._at += size

    def _broken(self, reason: str) -> InvalidModelFileError:
        return InvalidModelFileError(
            f"the file of {self._owner} is damaged or incomplete; remove the model and get it again",
            reason=f"{reason}; at byte {self._at}",
        )
