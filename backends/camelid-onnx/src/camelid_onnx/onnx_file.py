"""What an ONNX file refers to, read without any library: a hostile file is looked through before a runtime opens it."""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from camelid.errors import InvalidModelFileError

__all__ = ("external_files",)

_DEEPEST: Final = 64
"""Graphs within graphs, counted in messages."""

_Fields: TypeAlias = dict[int, "_Fields | None"]
"""Field number of a message to the fields of the message in it that matter; None: the bytes themselves."""

_TENSOR: Final[_Fields] = {13: {1: None, 2: None}}
_SPARSE: Final[_Fields] = {1: _TENSOR, 2: _TENSOR}
_GRAPH: Final[_Fields] = {5: _TENSOR, 15: _SPARSE}
_ATTRIBUTE: Final[_Fields] = {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE}
_NODE: Final[_Fields] = {5: _ATTRIBUTE}
_GRAPH[1] = _NODE
_MODEL: Final[_Fields] = {7: _GRAPH, 20: {1: _GRAPH, 2: _GRAPH}, 25: {7: _NODE}}
_GRAPH_FIELD: Final = 7


class _DamagedError(Exception):
    """The bytes are no protobuf message."""


def external_files(path: Path) -> frozenset[str]:
    """The names of the files in which weights of an ONNX file lie, as it writes them.

    Raises:
        InvalidModelFileError: it is no ONNX file, or a damaged one.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if not any(number == _GRAPH_FIELD for number, _, _ in _fields(content, 0, len(content))):
                raise _DamagedError("it has no graph")
            return frozenset(_collect(content, 0, len(content), _MODEL, _DEEPEST))
    except (_DamagedError, ValueError, OSError) as error:
        raise InvalidModelFileError(
            f"{path.name} is no ONNX file, or a damaged one; get the model again", reason=str(error)
        ) from error


def _collect(content: mmap.mmap, start: int, end: int, wanted: _Fields, depth: int) -> Iterator[str]:
    if not depth:
        raise _DamagedError("graphs are nested too deeply")
    if wanted is _TENSOR:
        yield from _locations(content, start, end)
        return
    for number, begin, stop in _fields(content, start, end):
        inner = wanted.get(number)
        if inner is not None:
            yield from _collect(content, begin, stop, inner, depth - 1)


def _locations(content: mmap.mmap, start: int, end: int) -> Iterator[str]:
    for number, begin, stop in _fields(content, start, end):
        if number == 13:
            entry = {field: content[first:last] for field, first, last in _fields(content, begin, stop)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode("utf-8", "replace")


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The length-delimited fields of a message: number, first byte, byte after the last."""
    place = start
    while place < end:
        key, place = _varint(content, place, end)
        if key >> 32:
            raise _DamagedError(f"a tag of more than 32 bits at byte {place}")
        kind = key & 7
        if kind == 0:
            _, place = _varint(content, place, end)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        elif kind == 2:
            size, place = _varint(content, place, end)
            if place + size <= end:
                yield key >> 3, place, place + size
            place += size
        else:
            raise _DamagedError(f"a field of type {kind} at byte {place}")
    if place != end:
        raise _DamagedError(
            f"it ends in the middle of a field that goes to byte {place}, {end - start} bytes are there"
        )


def _varint(content: mmap.mmap, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end and shift < 70:
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise _DamagedError(f"a number without an end at byte {place}")
