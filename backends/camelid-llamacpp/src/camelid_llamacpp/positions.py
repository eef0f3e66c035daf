"""Where pictures and sounds stand in sequences, and what that does to positions.

The framework counts cells of the KV cache: a picture of 100 tokens takes 100. Models with positions in several
dimensions (M-RoPE) let a picture take as many positions as its longer side has tokens, so what follows it stands at a
lower position than its index.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from camelid import Batch

__all__ = ("Piece", "Positions")


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A picture or a sound in a sequence."""

    start: int
    """Index of its first token."""
    end: int
    """Index after its last one."""
    first: int
    """Position of its first token."""
    after: int
    """Position of what follows it."""


class Positions:
    """The pieces of all sequences. Sequences without any cost nothing: index and position are the same."""

    def __init__(self, sequences: int) -> None:
        self._pieces: list[list[Piece]] = [[] for _ in range(sequences)]
        self._offsets: npt.NDArray[np.int32] = np.zeros(sequences, np.int32)
        self._moved = False

    def holds_media(self, sequence: int) -> bool:
        """Whether there is a piece in the sequence."""
        return bool(self._pieces[sequence])

    def at(self, sequence: int, index: int) -> int:
        """The position of the token at `index`, which must not lie inside of a piece."""
        for piece in reversed(self._pieces[sequence]):
            if piece.end <= index:
                return piece.after + index - piece.end
        return index

    def last(self, sequence: int, length: int) -> int:
        """The highest position that is certainly taken by the first `length` tokens; at least one."""
        for piece in reversed(self._pieces[sequence]):
            if piece.end == length:
                return piece.first
        return self.at(sequence, length) - 1

    def cuts(self, sequence: int, length: int) -> bool:
        """Whether a piece would be cut if only the first `length` tokens were kept."""
        return any(piece.start < length < piece.end for piece in self._pieces[sequence])

    def of_batch(self, batch: Batch) -> npt.NDArray[np.int32] | None:
        """Positions for the tokens of a batch, if they are not their indices."""
        if not self._moved:
            return None
        size = batch.size
        return batch.positions[:size] + self._offsets[batch.sequences[:size]]

    def place(self, sequence: int, start: int, length: int, advance: int) -> None:
        """Add a piece of `length` tokens that takes `advance` positions to the end of a sequence."""
        first = self.at(sequence, start)
        self.assign(sequence, (*self._pieces[sequence], Piece(start, start + length, first, first + advance)))

    def assign(self, sequence: int, pieces: tuple[Piece, ...]) -> None:
        """Say which pieces a sequence has."""
        self._pieces[sequence] = list(pieces)
        self._offsets[sequence] = pieces[-1].after - pieces[-1].end if pieces else 0
        self._moved = bool(self._offsets.any())

    def trim(self, sequence: int, length: int) -> None:
        """Keep only the pieces among the first `length` tokens."""
        if self._pieces[sequence]:
            self.assign(sequence, self._first(sequence, length))

    def copy(self, source: int, target: int, length: int) -> None:
        """Give `target` the pieces among the first `length` tokens of `source`."""
        if self._pieces[source] or self._pieces[target]:
            self.assign(target, self._first(source, length))

    def save(self, sequence: int) -> bytes:
        """The pieces of a sequence, for `load`."""
        return msgspec.msgpack.encode(self._pieces[sequence])

    def load(self, sequence: int, data: bytes) -> bool:
        """Give an empty sequence the pieces that `save` told of; false if these bytes tell of none."""
        try:
            self.assign(sequence, msgspec.msgpack.decode(data, type=tuple[Piece, ...]))
        except msgspec.DecodeError:
            return False
        return True

    def _first(self, sequence: int, length: int) -> tuple[Piece, ...]:
        return tuple(piece for piece in self._pieces[sequence] if piece.end <= length)
