"""What all reranking endpoints have in common: the form that Jina's, Cohere's, vLLM's and llama.cpp's clients share."""

import msgspec

from camelid.errors import RequestError
from camelid.services.rerank import Reranked, RerankRequest
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonValue

__all__ = ("RerankBody", "RerankDocument", "RerankResult", "rerank_request", "rerank_results")


class RerankBody(msgspec.Struct):
    """The request."""

    model: str = ""
    query: str = ""
    documents: list[JsonValue] = []
    """Texts, or objects with a `text`."""
    top_n: int | None = None
    """How many of the best to give back; none: all."""
    return_documents: bool = True
    truncate: bool = True
    """Cut documents that are too long, instead of refusing them."""
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


class RerankDocument(msgspec.Struct):
    """A document of the request."""

    text: str


class RerankResult(msgspec.Struct, omit_defaults=True):
    """What a document is worth."""

    index: int
    """Of the document in the request."""
    relevance_score: float
    """From 0 to 1."""
    document: RerankDocument | None = None


def rerank_request(body: RerankBody) -> RerankRequest:
    """The request for the service.

    Raises:
        RequestError: a document is no text.
    """
    return RerankRequest(
        model=body.model,
        query=body.query,
        documents=tuple(_text(document) for document in body.documents),
        top_n=body.top_n,
        truncate=body.truncate,
        options=body.options,
        keep_alive=parse_keep_alive(body.keep_alive),
    )


def rerank_results(request: RerankRequest, found: Reranked, *, documents: bool) -> list[RerankResult]:
    """The best documents, with their texts if `documents`."""
    return [
        RerankResult(
            score.index,
            score.relevance,
            RerankDocument(request.documents[score.index]) if documents else None,
        )
        for score in found.scores
    ]


def _text(document: JsonValue) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    if not isinstance(text, str):
        raise RequestError("documents must be texts, or objects with a text")
    return text
