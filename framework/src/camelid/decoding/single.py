"""A `Decoder` as a `BatchDecoder` of one sequence."""

from typing import Final

from camelid.contracts.batch import Batch, BatchLimits
from camelid.contracts.generation import BatchDecoder, Decoder, Logits

__all__ = ("SingleSequence",)

_BATCH_TOKENS: Final = 512


class SingleSequence(BatchDecoder):
    """Lifts tier one to tier two."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._length = 0
        self._logits: Logits | None = None

    @property
    def limits(self) -> BatchLimits:
        """One sequence that fills the whole context."""
        context = self._decoder.context_length
        return BatchLimits(sequences=1, cells=context, context_length=context, batch_tokens=min(_BATCH_TOKENS, context))

    def decode(self, batch: Batch) -> None:
        """Feed the batch's tokens."""
        self._logits = self._decoder.feed(batch.tokens[: batch.size].tolist())
        self._length += batch.size

    def logits(self, row: int) -> Logits:
        """The logits after the batch's last token; no other row has any."""
        if self._logits is None:
            raise LookupError(f"no logits for row {row}: nothing was decoded")
        return self._logits

    def trim(self, sequence: int, length: int) -> bool:  # noqa: ARG002 - there is only one
        """Keep a beginning, if the decoder can; forgetting everything always works."""
        if not length:
            self._decoder.reset()
        elif length != self._length and not self._decoder.trim(length):
            return False
        self._length = length
        return True

    def close(self) -> None:
        """Close the decoder."""
        self._decoder.close()
