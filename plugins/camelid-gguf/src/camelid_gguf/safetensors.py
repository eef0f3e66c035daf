"""The headers of safetensors files: eight bytes of length, JSON, then the numbers."""

import math
import struct
from itertools import pairwise
from pathlib import Path

import msgspec

from camelid.errors import InvalidModelFileError
from camelid_gguf.documents import parse_object

__all__ = ("SIZES", "StoredTensor", "read_header")

SIZES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
}
"""Bytes of one element, by the format's names of types."""

MOST_HEADER = 100_000_000
MOST_DIMENSIONS = 8
MOST_NAME = 512


class StoredTensor(msgspec.Struct, frozen=True):
    """Where one tensor lies."""

    name: str
    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    """First byte, from the beginning of the file."""
    size: int
    """Bytes."""


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_header(path: Path) -> list[StoredTensor]:
    """The tensors of a safetensors file, in the order of their bytes.

    Raises:
        InvalidModelFileError: the header is damaged, or claims what cannot be.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if len(head) < 8:
            raise _damaged(path, "it is shorter than its header")
        if head == b"version ":
            raise InvalidModelFileError(f"{path.name} is a Git LFS pointer, not the file that it stands for")
        (size,) = struct.unpack("<Q", head)
        if size > MOST_HEADER or size > length - 8:
            raise _damaged(path, f"its header claims {size} bytes of {length}")
        text = file.read(size)
    try:
        entries = parse_object(text)
    except ValueError as error:
        raise _damaged(path, f"its header is no JSON object, {error}") from None
    entries.pop("__metadata__", None)
    tensors = [_tensor(path, name, entry, 8 + size, length) for name, entry in entries.items()]
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.size))
    for first, second in pairwise(tensors):
        if first.offset + first.size > second.offset:
            raise _damaged(path, f"{first.name} and {second.name} overlap")
    return tensors


def _tensor(path: Path, name: str, values: object, start: int, length: int) -> StoredTensor:
    if len(name) > MOST_NAME:
        raise _damaged(path, f"a tensor's name has {len(name)} characters")
    try:
        entry = msgspec.convert(values, _Entry)
    except msgspec.ValidationError as error:
        raise _damaged(path, f"{name}: {error}") from None
    if entry.dtype not in SIZES:
        raise InvalidModelFileError(f"{path.name}: {name} has the unknown type {entry.dtype[:20]}")
    if len(entry.shape) > MOST_DIMENSIONS or any(not 0 <= side <= length for side in entry.shape):
        raise _damaged(path, f"{name} has the impossible shape {entry.shape[:9]}")
    begin, end = entry.data_offsets
    if not 0 <= begin <= end <= length - start:
        raise _damaged(path, f"{name} lies outside of it")
    if end - begin != math.prod(entry.shape) * SIZES[entry.dtype]:
        raise _damaged(path, f"{name} has {end - begin} bytes, which is not what {entry.dtype} {entry.shape} takes")
    return StoredTensor(
        name=name,
        path=path,
        dtype=entry.dtype,
        shape=tuple(entry.shape),
        offset=start + begin,
        size=end - begin,
    )


def _damaged(path: Path, reason: str) -> InvalidModelFileError:
    return InvalidModelFileError(f"{path.name} is damaged: {reason}")
