"""Scores of documents."""

import numpy as np

from camelid.contracts.ranker import Ranker
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import ModelError, PromptTooLongError
from camelid.wire.messages import Rank, Ranked
from camelid.worker.jobs import Job
from camelid.worker.session import Session

__all__ = ("RankingJob", "pair_tokens")


class RankingJob(Job):
    """One `Rank` and the scores it has so far."""

    __slots__ = ("_message", "_scores", "_session", "_tokens")

    def __init__(self, message: Rank, session: Session) -> None:
        super().__init__(message.id)
        self._message = message
        self._session = session
        self._scores: list[float] = []
        self._tokens = 0

    def advance(self, tokens: int) -> Ranked | None:
        """Score a slice of the documents."""
        ranker, message = self._session.ranker(), self._message
        batch: list[list[int]] = []
        size = 0
        while len(self._scores) + len(batch) < len(message.documents) and size < tokens:
            document = message.documents[len(self._scores) + len(batch)]
            batch.append(
                pair_tokens(message.query, document, ranker, self._session.tokenizer, truncate=message.truncate)
            )
            size += len(batch[-1])
        if batch:
            self._scores += _scores(ranker, batch)
            self._tokens += size
        if len(self._scores) < len(message.documents):
            return None
        return Ranked(self.id, tuple(self._scores), self._tokens)


def pair_tokens(query: str, document: str, ranker: Ranker, tokenizer: Tokenizer, *, truncate: bool) -> list[int]:
    """The tokens of a query and a document; of a document that is too long the end goes.

    Raises:
        PromptTooLongError: the document is too long and may not be cut, or there is no room for any beside the query.
    """
    tokens, most = list(ranker.pair(query, document)), ranker.max_tokens
    if len(tokens) <= most:
        return tokens
    if not truncate:
        reason = f"{len(tokens)} > {most} tokens"
        raise PromptTooLongError("a document is longer than the context allows beside the query", reason=reason)
    kept = tokenizer.encode(document, add_special=False, parse_special=False)
    while len(tokens) > most:
        kept = kept[: most - len(tokens)]
        if not kept:
            reason = f"{len(tokens)} > {most} tokens without a document"
            raise PromptTooLongError("the query leaves no room for documents: shorten it", reason=reason)
        # Token by token texts differ from the whole, so what the ranker makes of them is looked at again.
        tokens = list(ranker.pair(query, tokenizer.decode(kept).decode("utf-8", "ignore")))
    return tokens


def _scores(ranker: Ranker, batch: list[list[int]]) -> list[float]:
    """Score a batch, and check what the contract promises.

    Raises:
        ModelError: the backend broke the promise.
    """
    scores = ranker.rank(batch)
    if scores.shape != (len(batch),):
        reason = f"shape {scores.shape}, not {(len(batch),)}"
    elif not np.all((scores >= 0) & (scores <= 1)):
        reason = f"a score is not between 0 and 1: {scores.min()} to {scores.max()}"
    else:
        return [float(score) for score in scores]
    raise ModelError("the model's backend returned broken scores", reason=reason)
