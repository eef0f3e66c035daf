"""Role four, for rerankers: how well documents answer a query."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ("Ranker",)


class Ranker(ABC):
    """Says how well documents answer a query. `camelid_ranker` returns it; runs on the engine thread."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """Tokens that one pair may have."""

    @abstractmethod
    def pair(self, query: str, document: str) -> Sequence[int]:
        """Token ids of a query and a document, with whatever the model wants around and between them.

        As long as it comes: the framework shortens the document where the pair is longer than `max_tokens`. Neither
        text may become a control token.
        """

    @abstractmethod
    def rank(self, pairs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Score a batch of pairs, none of them longer than `max_tokens`.

        Returns:
            float32, shape (len(pairs),): from 0, the document has nothing to do with the query, to 1, it answers it.
        """

    def close(self) -> None:  # noqa: B027 - some rankers own nothing of their own
        """Give native memory back. Called once."""
