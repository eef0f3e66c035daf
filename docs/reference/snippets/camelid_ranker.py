"""Scores of documents: the share of a query's tokens that a document has as well."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from camelid import LoadedModel, Ranker, Tokenizer, hookimpl

CAMELID_API = 1


class OverlapRanker(Ranker):
    def __init__(self, model: LoadedModel, tokenizer: Tokenizer) -> None:
        self._facts = model.facts
        self._tokenizer = tokenizer
        self._between = min(tokenizer.end_tokens)

    @property
    def max_tokens(self) -> int:
        return self._facts.context_length

    def pair(self, query: str, document: str) -> list[int]:
        """Neither text may bring a control token along, so none is read as one."""
        return [*self._plain(query), self._between, *self._plain(document)]

    def _plain(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special=False, parse_special=False)

    def rank(self, pairs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        return np.array([self._score(list(pair)) for pair in pairs], np.float32)

    def _score(self, pair: list[int]) -> float:
        middle = pair.index(self._between)
        query, document = Counter(pair[:middle]), Counter(pair[middle + 1 :])
        return (query & document).total() / max(1, query.total())


@hookimpl
def camelid_ranker(model: LoadedModel, tokenizer: Tokenizer) -> Ranker | None:
    """Asked only where the model's facts declare `RERANK`."""
    return OverlapRanker(model, tokenizer)
