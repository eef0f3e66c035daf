"""Vectors of how often each token occurs: texts of the same letters lie close together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from camelid import Embedder, LoadedModel, hookimpl

CAMELID_API = 1


class CountEmbedder(Embedder):
    def __init__(self, model: LoadedModel) -> None:
        self._facts = model.facts

    @property
    def dimensions(self) -> int:
        return self._facts.vocabulary_size

    @property
    def max_tokens(self) -> int:
        return self._facts.context_length

    def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Not normalised: the framework does that."""
        return np.stack([np.bincount(tokens, minlength=self.dimensions) for tokens in inputs]).astype(np.float32)


@hookimpl
def camelid_embedder(model: LoadedModel) -> Embedder | None:
    """None if this model cannot embed; the facts then do not declare `EMBEDDING`."""
    return CountEmbedder(model)
