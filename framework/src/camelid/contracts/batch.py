"""The tokens of one step, for all sequences, in arrays."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ("Batch", "BatchLimits", "TokenRun")

TokenRun: TypeAlias = Sequence[int] | npt.NDArray[np.int32]
"""Token ids in order."""


class BatchLimits(msgspec.Struct, frozen=True):
    """What a `BatchDecoder` can hold; the scheduler never goes past it."""

    sequences: int
    """Sequence ids run from 0 to this, exclusive."""
    cells: int
    """Tokens that the KV cache holds, over all sequences. A shared prefix counts once."""
    context_length: int
    """Tokens that one sequence may hold."""
    batch_tokens: int
    """Tokens of one `decode`."""


class Batch:
    """Up to `capacity` tokens; the first `size` of each array are valid. Reused from step to step.

    A row is the position of a token in the batch; where `outputs[row]` is set, `decode` leaves logits for it.
    The tokens of one sequence stand in ascending position.
    """

    __slots__ = ("capacity", "outputs", "positions", "sequences", "size", "tokens")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self.tokens: npt.NDArray[np.int32] = np.zeros(capacity, np.int32)
        self.positions: npt.NDArray[np.int32] = np.zeros(capacity, np.int32)
        self.sequences: npt.NDArray[np.int32] = np.zeros(capacity, np.int32)
        self.outputs: npt.NDArray[np.int8] = np.zeros(capacity, np.int8)

    @property
    def room(self) -> int:
        """Tokens that may still be added."""
        return self.capacity - self.size

    def clear(self) -> None:
        """Forget all tokens."""
        self.size = 0

    def add(self, sequence: int, tokens: TokenRun, position: int, *, output: bool, each: bool = False) -> int:
        """Append a run of tokens of one sequence that starts at `position`.

        Returns:
            The row of the last token; `output` asks for its logits, `each` for those of the others as well.

        Raises:
            ValueError: the run is empty or does not fit.
        """
        start, stop = self.size, self.size + len(tokens)
        if start == stop or stop > self.capacity:
            raise ValueError(f"{len(tokens)} tokens do not fit into a batch with room for {self.room}")
        last = stop - 1
        if start == last:
            # A generated token: four scalars, which take a third of the time of four slices.
            self.tokens[last] = tokens[0]
            self.positions[last] = position
            self.sequences[last] = sequence
        else:
            self.tokens[start:stop] = tokens
            self.positions[start:stop] = np.arange(position, position + stop - start, dtype=np.int32)
            self.sequences[start:stop] = sequence
            self.outputs[start:last] = each
        self.outputs[last] = output
        self.size = stop
        return last
