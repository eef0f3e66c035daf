"""The tokens of one step, for all sequences, in arrays."""

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ("Batch", "BatchLimits")


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

    def add(self, sequence: int, tokens: npt.ArrayLike, position: int, *, output: bool) -> int:
        """Append a run of tokens of one sequence that starts at `position`.

        Returns:
            The row of the last token; `output` asks for its logits.

        Raises:
            ValueError: the run is empty or does not fit.
        """
        run = np.asarray(tokens, np.int32)
        start, stop = self.size, self.size + len(run)
        if start == stop or stop > self.capacity:
            raise ValueError(f"{len(run)} tokens do not fit into a batch with room for {self.room}")
        self.tokens[start:stop] = run
        self.positions[start:stop] = np.arange(position, position + len(run), dtype=np.int32)
        self.sequences[start:stop] = sequence
        self.outputs[start:stop] = 0
        self.outputs[stop - 1] = output
        self.size = stop
        return stop - 1
