"""A decoder of the first tier: after each byte comes the next one, and after `z` or `9` the end."""

from collections.abc import Sequence

import numpy as np

from camelid import Decoder, LoadedModel, Tokenizer, hookimpl
from camelid.contracts.generation import Generator, Logits

CAMELID_API = 1


class CountingDecoder(Decoder):
    def __init__(self, model: LoadedModel, tokenizer: Tokenizer) -> None:
        self._facts = model.facts
        self._end = min(tokenizer.end_tokens)

    @property
    def context_length(self) -> int:
        return self._facts.context_length

    def feed(self, tokens: Sequence[int]) -> Logits:
        """The last token alone decides; the framework samples from the logits."""
        logits = np.zeros(self._facts.vocabulary_size, np.float32)
        logits[self._end if tokens[-1] in b"z9" else (tokens[-1] + 1) % 256] = 20.0
        return logits

    def reset(self) -> None:
        """Nothing is remembered, so nothing is to be forgotten."""

    def trim(self, length: int) -> bool:
        return True


@hookimpl
def camelid_generator(model: LoadedModel, tokenizer: Tokenizer) -> Generator | None:
    """`model` and `tokenizer` are what the other hooks returned."""
    return CountingDecoder(model, tokenizer)
