"""Reranking."""

from collections.abc import Sequence

import numpy as np

from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs
from camelid.types.capabilities import Capability

__all__ = ("RankingCases",)

_QUERY = "Where did the cat sit?"
_DOCUMENTS = ("The cat sat on the mat.", "", "Interest rates rose by 3%!", "A cat was sitting on a mat, " * 4)
_TOLERANCE = 0.02
"""Between the scores of documents in one batch and alone: what is computed together is rounded otherwise."""


class RankingCases:
    """Rank."""

    @needs(Capability.RERANK)
    def test_each_document_has_a_score(self, host: Host) -> None:
        """Proves number and range of scores, also for an empty document. If it fails, look at `Ranker.rank`."""
        scores = _rank(host, _DOCUMENTS)
        check(len(scores) == len(_DOCUMENTS), f"{len(_DOCUMENTS)} scores", scores)
        check(all(0 <= score <= 1 for score in scores), "scores from 0 to 1", scores)

    @needs(Capability.RERANK)
    def test_a_score_depends_on_its_own_document_alone(self, host: Host) -> None:
        """Proves that documents of one batch do not mix, and that scores come back in their order.

        If it fails, look at sequence ids, and at how scores are collected.
        """
        together = _rank(host, _DOCUMENTS)
        _check_same(_rank(host, _DOCUMENTS[::-1])[::-1], together)
        _check_same([_rank(host, (document,))[0] for document in _DOCUMENTS], together)

    @needs(Capability.RERANK)
    def test_query_and_document_both_count(self, host: Host) -> None:
        """Proves that the model reads both. If it fails, look at `Ranker.pair`."""
        first, *_, last = _rank(host, _DOCUMENTS)
        other = host.run(host.client.rank("What do banks do?", _DOCUMENTS[:1], truncate=True)).scores[0]
        check(
            first not in (last, other),
            f"a score other than {first} for another document and for another query",
            (last, other),
        )

    @needs(Capability.RERANK)
    def test_a_long_document_is_cut(self, host: Host) -> None:
        """Proves that `Ranker.max_tokens` is true and that `Ranker.pair` becomes shorter with its document."""
        long = _DOCUMENTS[0] * host.spec.options.context_length
        ranked = host.run(host.client.rank(_QUERY, (long, *_DOCUMENTS), truncate=True))
        _check_same(ranked.scores[1:], _rank(host, _DOCUMENTS))


def _check_same(came: Sequence[float], expected: Sequence[float]) -> None:
    check(np.allclose(came, expected, rtol=0, atol=_TOLERANCE), f"the scores {expected}, within {_TOLERANCE}", came)


def _rank(host: Host, documents: tuple[str, ...]) -> tuple[float, ...]:
    return host.run(host.client.rank(_QUERY, documents, truncate=True)).scores
