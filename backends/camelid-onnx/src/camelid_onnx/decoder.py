"""Generation: one `Generator` of the runtime for each sequence, which take turns."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from camelid import Batch, BatchDecoder, BatchLimits, KVCacheFullError
from camelid.contracts.generation import Logits
from camelid.errors import ModelError

__all__ = ("GenaiDecoder", "NewGenerator")

NativeGenerator: TypeAlias = Any
"""An `onnxruntime_genai.Generator`: the library has no types."""
NewGenerator: TypeAlias = Callable[[], NativeGenerator]


class GenaiDecoder(BatchDecoder):
    """Computes the sequences of a batch one after another.

    The runtime's own batches have no seats that sequences could take and leave; the dynamic `Engine`, which has, shows
    no logits, so nothing of what the framework makes of them: penalties, constraints, log-probabilities.
    """

    def __init__(
        self, new_generator: NewGenerator, limits: BatchLimits, failure: Callable[[Exception], ModelError]
    ) -> None:
        """Start with empty sequences.

        Args:
            new_generator: makes a generator for one sequence, KV cache included.
            limits: what fits.
            failure: makes errors of what the runtime raises.
        """
        self._new_generator = new_generator
        self._limits = limits
        self._failure = failure
        self._generators: dict[int, NativeGenerator] = {}
        self._lengths = [0] * limits.sequences
        self._logits: dict[int, Logits] = {}
        self._shows_all_rows = True

    @property
    def limits(self) -> BatchLimits:
        """As loaded."""
        return self._limits

    def decode(self, batch: Batch) -> None:
        """Compute the batch, a sequence at a time.

        Raises:
            KVCacheFullError: there is no memory for one more sequence.
            ModelError: the runtime failed; the sequences of the batch are as good as forgotten.
        """
        self._logits.clear()
        sequences = batch.sequences[: batch.size]
        starts = [0, *(np.flatnonzero(np.diff(sequences)) + 1).tolist(), batch.size]
        for start in starts[:-1]:
            self._require(int(sequences[start]))
        for start, stop in pairwise(starts):
            self._run(batch, start, stop)

    def logits(self, row: int) -> Logits:
        """The logits of a row whose output was asked for."""
        return self._logits[row]

    def trim(self, sequence: int, length: int) -> bool:
        """Rewind a sequence; False for models whose memory cannot go back."""
        generator = self._generators.get(sequence)
        if generator is None or length == self._lengths[sequence]:
            return True
        try:
            generator.rewind_to(length)
        except RuntimeError:
            if length:
                return False
            self._drop(sequence)
        self._lengths[sequence] = length
        return True

    def close(self) -> None:
        """Free all KV caches."""
        self._logits.clear()
        self._generators.clear()

    def _require(self, sequence: int) -> None:
        """See that a sequence has a generator."""
        if sequence in self._generators:
            return
        try:
            self._generators[sequence] = self._new_generator()
        except (RuntimeError, MemoryError) as error:
            if self._generators:
                raise KVCacheFullError("there is no memory for one more sequence", reason=str(error)) from error
            raise self._failure(error) from error

    def _drop(self, sequence: int) -> None:
        self._generators.pop(sequence, None)
        self._lengths[sequence] = 0

    def _run(self, batch: Batch, start: int, stop: int) -> None:
        """Compute the rows of one sequence."""
        sequence, position = int(batch.sequences[start]), int(batch.positions[start])
        if position != self._lengths[sequence]:
            raise ModelError(
                "the model's KV cache is out of step", reason=f"position {position}, {self._lengths[sequence]} tokens"
            )
        generator = self._generators[sequence]
        wanted = (np.flatnonzero(batch.outputs[start:stop]) + start).tolist()
        try:
            if wanted in ([], [stop - 1]):
                generator.append_tokens(batch.tokens[start:stop])
                if wanted:
                    self._logits[stop - 1] = _last_row(generator.get_logits())
            else:
                self._run_showing(generator, batch, start, stop, wanted)
        except (RuntimeError, MemoryError) as error:
            self._drop(sequence)
            raise self._failure(error) from error
        self._lengths[sequence] = position + stop - start

    def _run_showing(self, generator: NativeGenerator, batch: Batch, start: int, stop: int, wanted: list[int]) -> None:
        """Compute rows whose logits are asked for in the middle, too: guesses that are verified."""
        if self._shows_all_rows:
            generator.append_tokens(batch.tokens[start:stop])
            rows = generator.get_output("logits")
            rows = rows.reshape(-1, rows.shape[-1])
            if len(rows) == stop - start:
                for row in wanted:
                    self._logits[row] = rows[row - start].astype(np.float32)
                return
            # The model was built to compute the last row only.
            self._shows_all_rows = False
            generator.rewind_to(int(batch.positions[start]))
        for row in range(start, stop):
            generator.append_tokens(batch.tokens[row : row + 1])
            if row in wanted:
                self._logits[row] = _last_row(generator.get_logits())


def _last_row(logits: Logits) -> Logits:
    last: Logits = logits.reshape(-1, logits.shape[-1])[-1]
    return last
