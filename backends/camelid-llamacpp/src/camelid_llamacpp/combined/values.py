"""Values of a GGUF file's metadata as they lie in the file: the number of their type, then the bytes."""

import struct
from collections.abc import Sequence
from typing import Final

__all__ = (
    "ARRAY",
    "BOOL",
    "FLOAT32",
    "INT32",
    "NUMBERS",
    "STRING",
    "UINT32",
    "array_value",
    "bool_value",
    "decimal_value",
    "numbers_of",
    "text_of",
    "text_value",
    "whole_value",
)

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9

NUMBERS: Final = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
"""How numbers lie in the file, by the number of their type."""

_KIND: Final = struct.Struct("<I")
_ARRAY_HEAD: Final = struct.Struct("<IIQ")
_MOST_READ: Final = 1024
"""Numbers of an array that are looked at."""


def whole_value(number: int) -> bytes:
    """A whole number from 0 to 2**32 - 1."""
    return struct.pack("<II", UINT32, number)


def decimal_value(number: float) -> bytes:
    """A number of 32 bits."""
    return struct.pack("<If", FLOAT32, number)


def bool_value(*, true: bool) -> bytes:
    """Yes or no."""
    return struct.pack("<I?", BOOL, true)


def text_value(text: str) -> bytes:
    """A string."""
    content = text.encode("utf-8", "surrogateescape")
    return struct.pack("<IQ", STRING, len(content)) + content


def array_value(kind: int, numbers: Sequence[int | float | bool]) -> bytes:
    """Several numbers of one of the types in `NUMBERS`."""
    pack = NUMBERS[kind].pack
    return _ARRAY_HEAD.pack(ARRAY, kind, len(numbers)) + b"".join(map(pack, numbers))


def numbers_of(value: bytes) -> tuple[int | float | bool, ...]:
    """The number, or the first thousand of an array's; none if the value is something else."""
    kind = _KIND.unpack_from(value)[0]
    if kind in NUMBERS:
        return NUMBERS[kind].unpack_from(value, _KIND.size)
    if kind != ARRAY:
        return ()
    _, element, count = _ARRAY_HEAD.unpack_from(value)
    if element not in NUMBERS:
        return ()
    layout, end = NUMBERS[element], _ARRAY_HEAD.size + min(count, _MOST_READ) * NUMBERS[element].size
    return tuple(number for (number,) in layout.iter_unpack(value[_ARRAY_HEAD.size : end]))


def text_of(value: bytes) -> str:
    """The string; empty if the value is something else."""
    return value[12:].decode("utf-8", "surrogateescape") if _KIND.unpack_from(value)[0] == STRING else ""
