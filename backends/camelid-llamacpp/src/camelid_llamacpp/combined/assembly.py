"""A GGUF file that is put together while it is read: a header, and pieces of another file."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from itertools import accumulate
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

__all__ = ("Assembly", "Computed", "Piece", "Range", "piece_size")

_CHUNK: Final = 4 << 20


class Range(msgspec.Struct, frozen=True):
    """Bytes of the source as they are."""

    offset: int
    size: int


class Computed(msgspec.Struct, frozen=True):
    """Bytes that are made of the source when they are read."""

    size: int
    compute: Callable[[FileIO], bytes]
    """Gives as many bytes."""


Piece: TypeAlias = bytes | Range | Computed


def piece_size(piece: Piece) -> int:
    """Its bytes."""
    return len(piece) if isinstance(piece, bytes) else piece.size


class Assembly:
    """What would stand in a file."""

    def __init__(self, source: Path, pieces: Iterable[Piece]) -> None:
        """Put it together.

        Args:
            source: the file that ranges are of.
            pieces: in their order.
        """
        self.source = source
        self._pieces = [piece for piece in pieces if piece_size(piece)]
        self._starts = [0, *accumulate(map(piece_size, self._pieces))]
        self._computed: tuple[int, bytes] = (-1, b"")

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return self._starts[-1]

    def read_into(self, source: FileIO, position: int, target: memoryview) -> int:
        """Fill a buffer, or its beginning.

        Args:
            source: the file that ranges are of, opened unbuffered.
            position: of the first byte.
            target: where to.

        Returns:
            How many bytes, at least one; 0 at the end.

        Raises:
            OSError: the source cannot be read, or became shorter.
        """
        if position >= self.size:
            return 0
        place = bisect_right(self._starts, position) - 1
        piece, skipped = self._pieces[place], position - self._starts[place]
        count = min(len(target), piece_size(piece) - skipped)
        if isinstance(piece, Range):
            source.seek(piece.offset + skipped)
            count = source.readinto(target[:count])
            if not count:
                raise OSError("the model's file became shorter while it was read")
            return count
        content = piece if isinstance(piece, bytes) else self._content(place, piece, source)
        target[:count] = content[skipped : skipped + count]
        return count

    def chunks(self) -> Iterator[memoryview]:
        """All bytes, a few megabytes at a time; each chunk is valid until the next.

        Raises:
            OSError: the source cannot be read, or became shorter.
        """
        buffer, position = memoryview(bytearray(_CHUNK)), 0
        with self.source.open("rb", buffering=0) as source:
            while count := self.read_into(source, position, buffer):
                position += count
                yield buffer[:count]

    def _content(self, place: int, piece: Computed, source: FileIO) -> bytes:
        if self._computed[0] != place:
            self._computed = (place, piece.compute(source))
        return self._computed[1]
