"""What stands at the beginning of a GGUF file, read with bounds: the file is hostile until proven otherwise.

Nothing is mapped: a mapped file that somebody cuts short would kill the server. Lengths and counts are checked against
the file's size before anything is allocated, and arrays are stepped over, not built.
"""

import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final, TypeAlias

import msgspec

from camelid.errors import InvalidModelFileError

__all__ = ("MAGIC", "Array", "Cursor", "Preamble", "Scalar", "Value", "open_model_file", "read_preamble")

MAGIC: Final = b"GGUF"

Scalar: TypeAlias = bool | int | float | str

_VERSIONS: Final = (2, 3)
_MAX_VALUES: Final = 1 << 16
_MAX_TENSORS: Final = 1 << 17
_WINDOW = 1 << 20
_MAX_KEPT = 64 << 20
_MAX_ELEMENTS = 4 << 20
_MAX_NESTING = 4
_SMALL = 1024

_U32 = Struct("<I")
_U64 = Struct("<Q")
_STRING, _ARRAY = 8, 9
_NUMBERS: Final = {
    0: Struct("<B"),
    1: Struct("<b"),
    2: Struct("<H"),
    3: Struct("<h"),
    4: Struct("<I"),
    5: Struct("<i"),
    6: Struct("<f"),
    7: Struct("<?"),
    10: Struct("<Q"),
    11: Struct("<q"),
    12: Struct("<d"),
}
_FLOAT32 = 6


class Array(msgspec.Struct, frozen=True):
    """An array that stays in the file until `read` is called."""

    path: str
    offset: int
    """Of its first element."""
    kind: int
    """GGUF's number for the type of its elements."""
    count: int
    items: tuple[Scalar, ...] | None = None
    """The elements, if they are few numbers."""

    def read(self) -> list[object]:
        """Build the list; strings, numbers, or lists of them.

        Raises:
            InvalidModelFileError: the file has changed, or cannot be read any more.
        """
        if self.items is not None:
            return list(self.items)
        with open_model_file(Path(self.path)) as file:
            cursor = Cursor(file, self.path)
            cursor.skip(self.offset)
            return _elements(cursor, self.kind, self.count)

    def element(self, place: int) -> object:
        """One of its strings or numbers, or one of its lists.

        Args:
            place: from 0, below `count`.

        Raises:
            InvalidModelFileError: the file has changed, or cannot be read any more.
        """
        if self.items is not None:
            return self.items[place]
        with open_model_file(Path(self.path)) as file:
            cursor = Cursor(file, self.path)
            cursor.skip(self.offset)
            _skip_elements(cursor, self.kind, place, _MAX_NESTING)
            return _elements(cursor, self.kind, 1)[0]


Value: TypeAlias = Scalar | Array


class Cursor:
    """A place in the file, and what may still be taken from it."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        """Bytes of the file."""
        self._file = file
        self._buffer = b""
        self._start = 0
        self._at = 0
        self._kept = _MAX_KEPT
        self._elements = _MAX_ELEMENTS

    @property
    def position(self) -> int:
        """Bytes from the beginning."""
        return self._start + self._at

    def skip(self, count: int) -> None:
        """Step over bytes."""
        self._check(count)
        self._at += count

    def u32(self) -> int:
        """An unsigned 32-bit number."""
        return int(self.number(_U32))

    def u64(self) -> int:
        """An unsigned 64-bit number."""
        return int(self.number(_U64))

    def number(self, layout: Struct) -> bool | int | float:
        """One number of the given layout."""
        at = self._have(layout.size)
        self._at = at + layout.size
        value: bool | int | float = layout.unpack_from(self._buffer, at)[0]
        return value

    def text(self) -> str:
        """A string: its length and its bytes. Counts against what one file may make us keep."""
        length = self.u64()
        self._keep(length)
        at = self._have(length)
        self._at = at + length
        return self._buffer[at : self._at].decode("utf-8", "replace")

    def count_elements(self, count: int) -> None:
        """Take `count` from the number of array elements that one file may have."""
        self._elements -= count
        if self._elements < 0:
            raise InvalidModelFileError("the model file's header is too large", reason=f"an array of {count} elements")

    def strings(self, count: int) -> list[str]:
        """Build a list of strings: the hot loop of showing a vocabulary."""
        unpack, found = _U64.unpack_from, list[str]()
        while len(found) < count:
            at = self._have(8)
            buffer, last = self._buffer, len(self._buffer)
            while len(found) < count and at + 8 <= last:
                end = at + 8 + unpack(buffer, at)[0]
                if end > last:
                    break
                found.append(buffer[at + 8 : end].decode("utf-8", "replace"))
                at = end
            if at == self._at:  # a string that is longer than the window
                found.append(self.text())
            else:
                self._keep(at - self._at)
                self._at = at
        return found

    def numbers(self, layout: Struct, count: int) -> list[bool | int | float]:
        """Build a list of numbers of the given layout."""
        found: list[bool | int | float] = []
        while len(found) < count:
            some = min(count - len(found), _WINDOW // layout.size)
            at = self._have(some * layout.size)
            self._at = at + some * layout.size
            found += chain.from_iterable(layout.iter_unpack(self._buffer[at : self._at]))
        return found

    def skip_strings(self, count: int) -> None:
        """Step over strings: the hot loop of reading a header, since vocabularies are long."""
        unpack = _U64.unpack_from
        while count:
            at = self._have(8)
            buffer, last = self._buffer, len(self._buffer) - 8
            while count and at <= last:
                at += 8 + unpack(buffer, at)[0]
                count -= 1
            self.skip(at - self._at)

    def _keep(self, count: int) -> None:
        """Take bytes of text from what one file may make us keep."""
        self._kept -= count
        if self._kept < 0:
            raise InvalidModelFileError("the model file's header is too large", reason=f"text of {count} bytes")

    def _have(self, count: int) -> int:
        """Make sure that `count` bytes from here on are in the buffer; their index in it."""
        if self._at + count > len(self._buffer):
            self._check(count)
            position = self.position
            self._file.seek(position)
            self._buffer = self._file.read(max(count, _WINDOW))
            self._start, self._at = position, 0
            if len(self._buffer) < count:
                raise InvalidModelFileError("the model file is truncated", reason="it became shorter while it was read")
        return self._at

    def _check(self, count: int) -> None:
        end = self.position + count
        if end > self.size:
            raise InvalidModelFileError("the model file is truncated", reason=f"ends before byte {end}")


def open_model_file(path: Path) -> BinaryIO:
    """Open a file for reading, unbuffered.

    Raises:
        InvalidModelFileError: it cannot be opened.
    """
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise InvalidModelFileError("the model file cannot be opened", reason=str(error)) from error


class Preamble(msgspec.Struct, frozen=True):
    """What a GGUF file says of itself before it lists its tensors."""

    version: int
    tensor_count: int
    metadata: dict[str, Value]
    """In the file's order."""


def read_preamble(cursor: Cursor) -> Preamble:
    """Read from the file's first byte to its list of tensors, where the cursor stands then.

    Raises:
        InvalidModelFileError: it is no GGUF file, or truncated, or breaks the format.
    """
    if cursor.u32() != int.from_bytes(MAGIC, "little"):
        raise InvalidModelFileError("the file is not in GGUF format")
    version = cursor.u32()
    if version not in _VERSIONS:
        raise InvalidModelFileError(
            "the model file is of a GGUF version that cannot be read: convert it anew",
            reason=f"version {version}; a huge number means that it is big-endian",
        )
    tensor_count, value_count = cursor.u64(), cursor.u64()
    if tensor_count > _MAX_TENSORS or value_count > _MAX_VALUES:
        raise InvalidModelFileError(
            "the model file's header is too large", reason=f"{tensor_count} tensors, {value_count} values"
        )
    metadata: dict[str, Value] = {}
    for _ in range(value_count):
        key = cursor.text()
        if key in metadata:
            raise InvalidModelFileError("the model file says something twice", reason=f"key {key[:100]!r}")
        metadata[key] = _read_value(cursor, cursor.u32())
    return Preamble(version, tensor_count, metadata)


def _read_value(cursor: Cursor, kind: int) -> Value:
    """A metadata value of the given type; arrays stay in the file.

    Raises:
        InvalidModelFileError: the type is unknown, or a bound is broken.
    """
    if kind != _ARRAY:
        return _scalar(cursor, kind)
    inner, count = _array_head(cursor)
    offset = cursor.position
    if inner in _NUMBERS and count <= _SMALL:
        items = tuple(_scalar(cursor, inner) for _ in range(count))
        return Array(cursor.path, offset, inner, count, items)
    _skip_elements(cursor, inner, count, _MAX_NESTING)
    return Array(cursor.path, offset, inner, count)


def _scalar(cursor: Cursor, kind: int) -> Scalar:
    if kind == _STRING:
        return cursor.text()
    layout = _NUMBERS.get(kind)
    if layout is None:
        raise InvalidModelFileError("the model file has a value of an unknown type", reason=f"type {kind}")
    value = cursor.number(layout)
    return _shortest(float(value)) if kind == _FLOAT32 else value


def _shortest(value: float) -> float:
    """The 32-bit number as people wrote it: 1e-05, not 9.999999747378752e-06."""
    layout = _NUMBERS[_FLOAT32]
    for digits in (6, 7, 8):
        candidate = float(f"{value:.{digits}g}")
        if _packs(layout.pack, candidate) == layout.pack(value):
            return candidate
    return value


def _packs(pack: Callable[[float], bytes], value: float) -> bytes:
    try:
        return pack(value)
    except OverflowError:  # rounded up beyond the largest 32-bit number
        return b""


def _array_head(cursor: Cursor) -> tuple[int, int]:
    inner, count = cursor.u32(), cursor.u64()
    cursor.count_elements(count)
    return inner, count


def _skip_elements(cursor: Cursor, kind: int, count: int, nesting: int) -> None:
    if kind == _STRING:
        cursor.skip_strings(count)
    elif kind == _ARRAY:
        if not nesting:
            raise InvalidModelFileError("the model file's arrays are nested too deeply")
        for _ in range(count):
            _skip_elements(cursor, *_array_head(cursor), nesting - 1)
    elif kind in _NUMBERS:
        cursor.skip(count * _NUMBERS[kind].size)
    else:
        raise InvalidModelFileError("the model file has an array of an unknown type", reason=f"type {kind}")


def _elements(cursor: Cursor, kind: int, count: int) -> list[object]:
    if kind == _ARRAY:
        return [_elements(cursor, *_array_head(cursor)) for _ in range(count)]
    if kind == _STRING:
        return [*cursor.strings(count)]
    if kind in _NUMBERS and kind != _FLOAT32:
        return [*cursor.numbers(_NUMBERS[kind], count)]
    return [_scalar(cursor, kind) for _ in range(count)]
