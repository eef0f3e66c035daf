"""A GGUF file in the making: what is left out of another one, and what is called differently."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Final

import msgspec

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.element_types import ELEMENT_TYPES
from camelid_llamacpp.combined.assembly import Assembly, Piece, Range, piece_size
from camelid_llamacpp.combined.gguf_file import GGUF_MAGIC, GGUFFile
from camelid_llamacpp.combined.values import (
    ARRAY,
    FLOAT32,
    INT32,
    STRING,
    array_value,
    decimal_value,
    numbers_of,
    text_of,
    text_value,
    whole_value,
)

__all__ = ("Draft", "DraftTensor")

_VERSION: Final = 3
_ALIGNMENT: Final = 32
_ARCHITECTURE: Final = "general.architecture"
_NOTHING: Final = b"\xff\xff\xff\xff"
"""A value of no type."""
_END_OF_WHOLES: Final = 1 << 32
_END_OF_SIGNED: Final = 1 << 31
_LARGEST_DECIMAL: Final = (2 - 2**-23) * 2.0**127
"""Of those that 32 bits can hold."""
_WORDS: Final = "tokenizer.ggml.tokens"
_KINDS: Final = "tokenizer.ggml.token_type"
_VOCABULARY: Final = (_WORDS, "tokenizer.ggml.scores", _KINDS)
_ARRAY_HEAD: Final = struct.Struct("<IIQ")
_ARRAY_KIND, _STRING_KIND, _INT32_KIND = (struct.pack("<I", kind) for kind in (ARRAY, STRING, INT32))


class DraftTensor(msgspec.Struct, frozen=True):
    """A tensor to be written."""

    kind: int
    """Number of its element type."""
    shape: tuple[int, ...]
    """The dimension whose elements lie side by side first."""
    pieces: tuple[Piece, ...]
    """What it consists of, without gaps."""


class Draft:
    """Metadata and tensors, both in the order in which they are written. Missing keys and tensors are passed over:
    whoever loads the file says what it cannot be without.
    """

    def __init__(self, file: GGUFFile, metadata: Mapping[str, bytes], tensors: Iterable[str]) -> None:
        """Begin.

        Args:
            file: what it is made of.
            metadata: to begin with.
            tensors: names of those that it shall have.

        Raises:
            ModelLoadError: the size of one of them is not known.
        """
        self._file = file
        self.metadata = dict(metadata)
        self.tensors = {name: _source_tensor(file, name) for name in tensors}

    @property
    def architecture(self) -> str:
        """The model's family, as it is called so far."""
        return self.text(_ARCHITECTURE)

    def whole(self, key: str) -> int | None:
        """A whole number from 0 to 2**32 - 1; None if there is none."""
        number = self.decimal(key)
        return int(number) if number is not None and 0 <= number < _END_OF_WHOLES else None

    def decimal(self, key: str) -> float | None:
        """A number that 32 bits can be near to; None if there is none."""
        numbers = numbers_of(self.metadata.get(key, _NOTHING))
        return numbers[0] if len(numbers) == 1 and abs(numbers[0]) <= _LARGEST_DECIMAL else None

    def decimals(self, key: str) -> tuple[float, ...]:
        """The numbers of an array that 32 bits can be near to; none if there are none."""
        numbers = numbers_of(self.metadata.get(key, _NOTHING))
        return tuple(number for number in numbers if abs(number) <= _LARGEST_DECIMAL)

    def wholes(self, key: str) -> tuple[int, ...]:
        """The whole numbers of an array, from -2**31 to 2**31 - 1; none if there are none."""
        numbers = numbers_of(self.metadata.get(key, _NOTHING))
        return tuple(
            number for number in numbers if isinstance(number, int) and -_END_OF_SIGNED <= number < _END_OF_SIGNED
        )

    def text(self, key: str) -> str:
        """A string; empty if there is none."""
        return text_of(self.metadata.get(key, _NOTHING))

    def default(self, key: str, value: bytes) -> None:
        """Say something unless the file does."""
        self.metadata.setdefault(key, value)

    def copy(self, source: str, key: str) -> None:
        """Say under another key, too, what the file says."""
        if source in self.metadata:
            self.metadata.setdefault(key, self.metadata[source])

    def call_architecture(self, name: str) -> None:
        """Give the architecture, and each of its keys, the name that llama.cpp has for it."""
        old = self.text(_ARCHITECTURE) + "."
        self.metadata = {
            name + "." + key.removeprefix(old) if key.startswith(old) else key: value
            for key, value in self.metadata.items()
        }
        self.metadata[_ARCHITECTURE] = text_value(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's; empty if there is no such tensor."""
        return self.tensors[name].shape if name in self.tensors else ()

    def rename(self, *names: tuple[str, str]) -> None:
        """Replace parts of tensors' names, in this order.

        Raises:
            InvalidModelFileError: two tensors would be called the same.
        """
        renamed: dict[str, DraftTensor] = {}
        for name, tensor in self.tensors.items():
            for old, new in names:
                name = name.replace(old, new, 1)  # noqa: PLW2901 - one after the other
            if name in renamed:
                raise InvalidModelFileError(
                    f"the file of {self._file.owner} is damaged: two of its tensors are one", reason=name[:100]
                )
            renamed[name] = tensor
        self.tensors = renamed

    def join(self, name: str, parts: Sequence[str]) -> None:
        """Make one tensor of several along the last dimension, if all of them are there and fit."""
        found = [self.tensors[part] for part in parts if part in self.tensors]
        if len(found) < len(parts):
            return
        first = found[0]
        if any((tensor.kind, tensor.shape[:-1]) != (first.kind, first.shape[:-1]) for tensor in found):
            return
        for part in parts:
            del self.tensors[part]
        self.tensors[name] = DraftTensor(
            first.kind,
            (*first.shape[:-1], sum(tensor.shape[-1] for tensor in found)),
            tuple(chain.from_iterable(tensor.pieces for tensor in found)),
        )

    def cut(self, name: str, rows: int) -> None:
        """Keep the first rows of a matrix that lies in the file in one piece."""
        tensor = self.tensors.get(name)
        if tensor is None or len(tensor.shape) != 2 or not 0 < rows < tensor.shape[1]:
            return
        (piece,) = tensor.pieces
        if isinstance(piece, Range):
            kept = Range(piece.offset, piece.size // tensor.shape[1] * rows)
            self.tensors[name] = DraftTensor(tensor.kind, (tensor.shape[0], rows), (kept,))

    def cut_vocabulary(self, rows: Sequence[int]) -> None:
        """Keep the first words, as many as the first of `rows`; all of them if there is none."""
        if not rows:
            return
        for key in _VOCABULARY:
            value = self.metadata.get(key, b"")
            if value[:4] == _ARRAY_KIND and _ARRAY_HEAD.unpack_from(value)[2] > rows[0]:
                element = _ARRAY_HEAD.unpack_from(value)[1]
                end = _place(value, rows[0])
                self.metadata[key] = _ARRAY_HEAD.pack(ARRAY, element, rows[0]) + value[_ARRAY_HEAD.size : end]

    def word_number(self, word: str) -> int | None:
        """The token that a word of the file's vocabulary is; None if it has no such word."""
        wanted, words = word.encode(), _words(self._file.metadata.get(_WORDS, b""))
        return next((number for number, found in enumerate(words) if found == wanted), None)

    def change_kinds(self, kind_of: Callable[[bytes], int | None]) -> None:
        """Say anew what kind of token a word is, where `kind_of` knows it."""
        value = self.metadata.get(_KINDS, b"")
        if value[:8] != _ARRAY_KIND + _INT32_KIND:
            return
        kinds = memoryview(bytearray(value[_ARRAY_HEAD.size :])).cast("i")
        for place, word in zip(range(len(kinds)), _words(self.metadata.get(_WORDS, b"")), strict=False):
            kind = kind_of(word)
            if kind is not None:
                kinds[place] = kind
        self.metadata[_KINDS] = value[: _ARRAY_HEAD.size] + kinds.tobytes()

    def source_row(self, name: str, row: int | None) -> DraftTensor | None:
        """A row of one of the file's matrices; None if there is no such row."""
        tensor = self._file.tensors.get(name)
        if tensor is None or tensor.size is None or row is None or len(tensor.shape) != 2 or row >= tensor.shape[1]:
            return None
        size = tensor.size // tensor.shape[1]
        return DraftTensor(tensor.kind, tensor.shape[:1], (Range(tensor.offset + row * size, size),))

    def source_width(self, name: str) -> int:
        """How many elements lie side by side in one of the file's tensors; 0 if it is not there or has none."""
        tensor = self._file.tensors.get(name)
        return tensor.shape[0] if tensor is not None and 0 not in tensor.shape else 0

    def set_whole(self, key: str, number: int) -> None:
        """Say a whole number, whatever the file says.

        Raises:
            InvalidModelFileError: 32 bits cannot hold it.
        """
        if not 0 <= number < _END_OF_WHOLES:
            raise InvalidModelFileError(
                f"the file of {self._file.owner} is damaged: a number is too large", reason=f"{key[:100]}: {number}"
            )
        self.metadata[key] = whole_value(number)

    def set_text(self, key: str, text: str) -> None:
        """Say a text, whatever the file says."""
        self.metadata[key] = text_value(text)

    def default_decimal(self, key: str, number: float) -> None:
        """Say a number unless the file does."""
        self.default(key, decimal_value(number))

    def default_decimals(self, key: str, numbers: Sequence[float]) -> None:
        """Say several numbers unless the file does."""
        self.default(key, array_value(FLOAT32, numbers))

    def assemble(self) -> Assembly:
        """The file."""
        self.metadata.pop("general.alignment", None)
        parts = [GGUF_MAGIC, struct.pack("<IQQ", _VERSION, len(self.tensors), len(self.metadata))]
        for key, value in self.metadata.items():
            parts += [_string(key), value]
        body: list[Piece] = []
        offset = 0
        for name, tensor in self.tensors.items():
            size = sum(map(piece_size, tensor.pieces))
            if size != _size(tensor):
                raise InvalidModelFileError(
                    f"the file of {self._file.owner} is damaged: a tensor has another size than its shape",
                    reason=name[:100],
                )
            layout = f"<I{len(tensor.shape)}QIQ"
            parts += [_string(name), struct.pack(layout, len(tensor.shape), *tensor.shape, tensor.kind, offset)]
            body += [*tensor.pieces, bytes(-size % _ALIGNMENT)]
            offset += size + -size % _ALIGNMENT
        header = b"".join(parts)
        return Assembly(self._file.path, [header, bytes(-len(header) % _ALIGNMENT), *body])


def _source_tensor(file: GGUFFile, name: str) -> DraftTensor:
    tensor = file.tensors[name]
    if tensor.size is None:
        raise ModelLoadError(
            f"{file.owner} has numbers of a type that is not known here; update camelid",
            reason=f"element type {tensor.kind} of {name[:100]!r}",
        )
    return DraftTensor(tensor.kind, tensor.shape, (Range(tensor.offset, tensor.size),))


def _words(value: bytes) -> Iterator[bytes]:
    """The strings of an array, one after the other; none if it is no array of strings."""
    if value[:8] != _ARRAY_KIND + _STRING_KIND:
        return
    at = _ARRAY_HEAD.size
    while at < len(value):
        end = at + 8 + int.from_bytes(value[at : at + 8], "little")
        yield value[at + 8 : end]
        at = end


def _place(value: bytes, number: int) -> int:
    """Where an element of an array begins that has it, or more."""
    element, count = value[4:8], int.from_bytes(value[8:16], "little")
    at = _ARRAY_HEAD.size
    if element != _STRING_KIND:
        return at + (len(value) - at) // count * number
    for _ in range(number):
        at += 8 + int.from_bytes(value[at : at + 8], "little")
    return at


def _string(text: str) -> bytes:
    content = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(content)) + content


def _size(tensor: DraftTensor) -> int:
    _, block, block_bytes = ELEMENT_TYPES[tensor.kind]
    return prod(tensor.shape) // block * block_bytes
