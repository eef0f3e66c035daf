"""The use case behind every reranking endpoint. Ollama has none."""

import time

import msgspec

from camelid.engine.pool import Pool
from camelid.errors import RequestError, UnsupportedCapabilityError
from camelid.services.loading import Model, Models
from camelid.types.capabilities import Capability
from camelid.types.events import Purpose
from camelid.types.generation import Timings
from camelid.types.json import JsonObject
from camelid.types.options import parse_options

__all__ = ("Rerank", "RerankRequest", "Reranked", "Score")


class RerankRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to rank."""

    model: str
    """As the client sent it."""
    query: str
    documents: tuple[str, ...]
    top_n: int | None = None
    """How many of the best to give back; None = all."""
    truncate: bool = True
    """Cut documents that are too long beside the query, instead of refusing them."""
    options: JsonObject = {}
    keep_alive: float | None = None
    """Seconds; None = leave it as it is."""


class Score(msgspec.Struct, frozen=True):
    """What a document is worth."""

    index: int
    """Of the document in the request."""
    relevance: float
    """From 0, it has nothing to do with the query, to 1, it answers it. Scores of one model can be compared."""


class Reranked(msgspec.Struct, frozen=True):
    """The answer."""

    scores: tuple[Score, ...]
    """The best first; equal ones in the order of the request."""
    timings: Timings
    """`prompt_tokens` over all pairs of query and document, `load_duration`, `total_duration`."""


class Rerank:
    """Sorts documents by how well they answer a query, by a model that reads both together."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    async def __call__(self, request: RerankRequest) -> Reranked:
        """Score all documents, and sort them.

        Raises:
            RequestError: there is no query, no document, or nothing is asked for.
            UnsupportedCapabilityError: the model is no reranker.
            CamelidError: the request is wrong otherwise, or the model cannot be loaded.
        """
        started = time.perf_counter_ns()
        _check(request)
        model = await self._models.find(request.model)
        options = parse_options(model.stored.params, request.options)
        _check_purpose(model, request.model)
        async with self._pool.lease(model.load_request(options), request.keep_alive, Purpose.RERANK) as lease:
            ranked = await lease.client.rank(request.query, request.documents, truncate=request.truncate)
            scores = [Score(index, relevance) for index, relevance in enumerate(ranked.scores)]
            scores.sort(key=lambda score: -score.relevance)
            timings = Timings(
                prompt_tokens=ranked.prompt_tokens,
                load_duration=lease.load_duration,
                total_duration=time.perf_counter_ns() - started,
            )
            lease.account.timings = timings
            return Reranked(tuple(scores[: request.top_n]), timings)


def _check(request: RerankRequest) -> None:
    if not request.model:
        raise RequestError("model is required")
    if not request.query:
        raise RequestError("query is required")
    if not request.documents:
        raise RequestError("documents must hold at least one text")
    if request.top_n is not None and request.top_n < 1:
        raise RequestError("top_n must be at least 1")


def _check_purpose(model: Model, asked: str) -> None:
    """Refuse what its file shows to be no reranker, before it is loaded; of other formats the backend knows."""
    if model.stored.header is None or Capability.RERANK in model.capabilities:
        return
    advice = (
        "compare the vectors of /api/embed, or use a reranker, such as bge-reranker-v2-m3"
        if Capability.EMBEDDING in model.capabilities
        else "use a reranker, such as bge-reranker-v2-m3"
    )
    raise UnsupportedCapabilityError(f'"{asked}" does not support reranking: it has no head that scores; {advice}')
