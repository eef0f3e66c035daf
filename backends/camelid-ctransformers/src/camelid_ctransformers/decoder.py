"""The generator: one sequence, in the simplest tier."""

from collections.abc import Sequence

import numpy as np

from camelid import Decoder
from camelid.contracts.generation import Logits
from camelid.errors import ModelMemoryError, WorkerError
from camelid_ctransformers.library import NativeModel

__all__ = ("CTransformersDecoder",)


class CTransformersDecoder(Decoder):
    """Feeds tokens to the library, and remembers how many it was given.

    The library is told with each computation how many tokens stand before. Most families keep their keys and values by
    place, so that to forget the end of a sequence is to say a smaller number. The older Falcon files are computed with
    values that lie as close as the sequence was long: it cannot become shorter.
    """

    def __init__(self, model: NativeModel, *, context_length: int, batch_size: int, threads: int, trims: bool) -> None:
        self._model = model
        self._context_length = context_length
        self._batch_size = batch_size
        self._threads = threads
        self._trims = trims
        self._length = 0

    @property
    def context_length(self) -> int:
        """As loaded."""
        return self._context_length

    def feed(self, tokens: Sequence[int]) -> Logits:
        """Compute tokens.

        Raises:
            ModelMemoryError: they do not fit into the context: the library would overwrite others.
            WorkerError: the library says that it failed.
        """
        if self._length + len(tokens) > self._context_length:
            raise ModelMemoryError(f"{self._context_length} tokens fit into the context, and that is full")
        if not self._model.evaluate(np.asarray(tokens, np.int32), self._length, self._batch_size, self._threads):
            raise WorkerError("ctransformers failed to compute", reason=f"{len(tokens)} tokens after {self._length}")
        self._length += len(tokens)
        return self._model.logits()

    def reset(self) -> None:
        """Forget the sequence."""
        self._length = 0

    def trim(self, length: int) -> bool:
        """Forget the end of the sequence, if its family can."""
        if self._trims:
            self._length = length
        return self._trims
