"""Many conversations at once over one text."""

from hashlib import sha256

import numpy as np
import numpy.typing as npt
from camelid import Batch, BatchDecoder, BatchLimits, KVCacheFullError
from camelid.errors import ModelError

from camelid_suffix.backend import SuffixModel

__all__ = ("SuffixBatchDecoder",)


class SuffixBatchDecoder(BatchDecoder):
    """A row of an array for each conversation."""

    def __init__(self, model: SuffixModel) -> None:
        options = model.options
        self._model = model
        self._limits = BatchLimits(
            sequences=options.parallel,
            cells=options.parallel * options.context_length,
            context_length=options.context_length,
            batch_tokens=options.batch_tokens,
        )
        self._tokens = np.zeros((options.parallel, options.context_length), np.uint8)
        self._lengths = [0] * options.parallel
        self._logits: dict[int, npt.NDArray[np.float32]] = {}

    @property
    def limits(self) -> BatchLimits:
        """As loaded."""
        return self._limits

    def decode(self, batch: Batch) -> None:
        """Append each token to its conversation, and count where somebody asks for it."""
        if batch.positions[: batch.size].max() >= self._limits.context_length:
            raise KVCacheFullError("a conversation is longer than its row")
        self._logits.clear()
        for row in range(batch.size):
            sequence, position = int(batch.sequences[row]), int(batch.positions[row])
            self._tokens[sequence, position] = batch.tokens[row]
            self._lengths[sequence] = position + 1
            if batch.outputs[row]:
                self._logits[row] = self._model.logits(self._conversation(sequence))

    def logits(self, row: int) -> npt.NDArray[np.float32]:
        """Those that `decode` has left."""
        return self._logits[row]

    def trim(self, sequence: int, length: int) -> bool:
        """Forget the end of a conversation."""
        self._lengths[sequence] = length
        return True

    def copy_prefix(self, source: int, target: int, length: int) -> bool:
        """Let a conversation begin as another one does."""
        self._tokens[target, :length] = self._tokens[source, :length]
        self._lengths[target] = length
        return True

    def save(self, sequence: int) -> bytes:
        """The conversation, for there is nothing else to it; and its digest, for it may come back damaged."""
        tokens = self._conversation(sequence).tobytes()
        return sha256(tokens).digest() + tokens

    def restore(self, sequence: int, state: bytes) -> None:
        """Take a conversation up again."""
        digest, tokens = state[:32], state[32:]
        if sha256(tokens).digest() != digest or len(tokens) > self._limits.context_length:
            raise ModelError("this is no conversation that was saved here")
        self._tokens[sequence, : len(tokens)] = np.frombuffer(tokens, np.uint8)
        self._lengths[sequence] = len(tokens)

    def _conversation(self, sequence: int) -> npt.NDArray[np.uint8]:
        return self._tokens[sequence, : self._lengths[sequence]]
