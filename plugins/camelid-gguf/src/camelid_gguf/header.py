"""Reading the header of a GGUF file, byte by byte: nothing in it is trusted."""

import math
import struct
from pathlib import Path
from typing import BinaryIO

import msgspec

from camelid.errors import InvalidModelFileError
from camelid_gguf.library import known_block

__all__ = ("Entry", "Header", "HeaderTensor", "read_gguf")

MOST_TEXT = 1 << 24
MOST_ITEMS = 1 << 26
MOST_TENSORS = 1 << 20
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
TEXT, ARRAY = 8, 9


class Entry(msgspec.Struct, frozen=True):
    """A key, and all its bytes as they stand in the file: length, key, type, value."""

    key: str
    value: int | float | bool | str | None
    """None for a list."""
    stored: bytes


class HeaderTensor(msgspec.Struct, frozen=True):
    """Where a tensor lies."""

    name: str
    sides: tuple[int, ...]
    """In GGUF's order: the length of a row first."""
    kind: int
    offset: int
    """First byte, from the beginning of the file."""
    size: int
    """Bytes."""


class Header(msgspec.Struct, frozen=True):
    """What stands before the numbers."""

    path: Path
    entries: dict[str, Entry]
    tensors: list[HeaderTensor]
    alignment: int

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number above zero.

        Raises:
            InvalidModelFileError: there is none.
        """
        entry = self.entries.get(key)
        value = entry.value if entry else default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InvalidModelFileError(f"{self.path.name} has no {key}")
        return value

    def text(self, key: str) -> str:
        """A text; empty if there is none."""
        entry = self.entries.get(key)
        return entry.value if entry and isinstance(entry.value, str) else ""


def read_gguf(path: Path) -> Header:
    """Read it.

    Raises:
        InvalidModelFileError: it is damaged, or no GGUF file of version 2 or 3.
    """
    with path.open("rb") as file:
        return _Reader(path, file).header()


class _Reader:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.length = path.stat().st_size

    def header(self) -> Header:
        if self.bytes(4) != b"GGUF" or self.number("<I") not in {2, 3}:
            raise InvalidModelFileError(f"{self.path.name} is no GGUF file")
        tensors, keys = self.number("<Q"), self.number("<Q")
        if tensors > MOST_TENSORS or keys > MOST_TENSORS:
            raise self.damaged("it claims too many tensors or keys")
        entries = {}
        for _ in range(keys):
            entry = self.entry()
            entries[entry.key] = entry
        infos = [self.info() for _ in range(tensors)]
        alignment = entries["general.alignment"].value if "general.alignment" in entries else 32
        if not isinstance(alignment, int) or not 1 <= alignment <= 65536 or alignment & (alignment - 1):
            raise self.damaged(f"an alignment of {alignment}")
        start = self.file.tell()
        start += -start % alignment
        return Header(self.path, entries, [self.tensor(*info, start=start) for info in infos], alignment)

    def entry(self) -> Entry:
        begin = self.file.tell()
        key = self.text()
        value = self.value(int(self.number("<I")))
        end = self.file.tell()
        self.file.seek(begin)
        return Entry(key, value, self.bytes(end - begin))

    def value(self, kind: int) -> int | float | bool | str | None:
        if kind == TEXT:
            return self.text()
        if kind == ARRAY:
            self.skip_list()
            return None
        if kind not in SCALARS:
            raise self.damaged(f"a value of the unknown type {kind}")
        return self.number(SCALARS[kind])

    def skip_list(self) -> None:
        kind, items = self.number("<I"), self.number("<Q")
        if items > MOST_ITEMS:
            raise self.damaged(f"a list of {items}")
        if kind == TEXT:
            for _ in range(int(items)):
                self.skip(self.number("<Q"))
        elif kind in SCALARS:
            self.skip(items * struct.calcsize(SCALARS[int(kind)]))
        else:
            raise self.damaged(f"a list of the unknown type {kind}")

    def info(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self.text()
        dimensions = self.number("<I")
        if not 1 <= dimensions <= 8:
            raise self.damaged(f"{name} has {dimensions} dimensions")
        sides = tuple(int(self.number("<Q")) for _ in range(int(dimensions)))
        return name, sides, int(self.number("<I")), int(self.number("<Q"))

    def tensor(self, name: str, sides: tuple[int, ...], kind: int, offset: int, *, start: int) -> HeaderTensor:
        sizes = known_block(kind)
        if not sizes:
            raise self.damaged(f"{name} has the unknown type {kind}")
        elements, size = sizes
        if sides[0] % elements:
            raise self.damaged(f"{name} has rows that are no whole blocks")
        total = math.prod(sides) // elements * size
        if start + offset + total > self.length:
            raise self.damaged(f"{name} lies outside of it")
        return HeaderTensor(name, sides, kind, start + offset, total)

    def text(self) -> str:
        size = self.number("<Q")
        if size > MOST_TEXT:
            raise self.damaged(f"a text of {size} bytes")
        return self.bytes(int(size)).decode("utf-8", "replace")

    def number(self, layout: str) -> int:
        (value,) = struct.unpack(layout, self.bytes(struct.calcsize(layout)))
        found: int = value
        return found

    def skip(self, size: int) -> None:
        if size > self.length - self.file.tell():
            raise self.damaged("it ends too early")
        self.file.seek(size, 1)

    def bytes(self, size: int) -> bytes:
        found = self.file.read(size)
        if len(found) < size:
            raise self.damaged("it ends too early")
        return found

    def damaged(self, reason: str) -> InvalidModelFileError:
        return InvalidModelFileError(f"{self.path.name} is damaged: {reason}")
