"""POST /api/embed and its older form, POST /api/embeddings (contract 6)."""

import asyncio
from typing import Final

import msgspec
from litestar import Response, post

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import json_reply
from camelid.api.vectors import encode_vector, encode_vectors
from camelid.errors import CamelidError, ModelNotFoundError, PromptTooLongError, RequestError, UnusableVectorError
from camelid.services.embed import Embeddings, EmbedRequest
from camelid.services.loading import NOT_FOUND
from camelid.services.references import parse_reference
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonValue

__all__ = ("embed", "embeddings")

_MANY_NUMBERS: Final = 4096
"""So many take a few milliseconds to print; more are printed beside the event loop."""


class EmbedBody(msgspec.Struct):
    """The request (contract 6.1)."""

    model: str = ""
    input: JsonValue = None
    truncate: bool = True
    dimensions: int = 0
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


class EmbedReply(msgspec.Struct, omit_defaults=True):
    """The answer."""

    model: str
    embeddings: msgspec.Raw
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0


class EmbeddingBody(msgspec.Struct):
    """The older request (contract 6.2)."""

    model: str = ""
    prompt: str = ""
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


class EmbeddingReply(msgspec.Struct):
    """The answer to it."""

    embedding: msgspec.Raw


def _inputs(value: JsonValue) -> tuple[str, ...]:
    """The texts to embed. An empty string is no text, a list with one in it has one.

    Raises:
        RequestError: neither a string nor a list of strings.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise RequestError("invalid input type")


def _check_name(asked: str) -> None:
    """Tell what is wrong with the name before what is wrong with the input.

    Raises:
        ModelNotFoundError: there is none.
        RequestError: it is no name.
        RemoteModelError: the model runs elsewhere.
    """
    if not asked:
        raise ModelNotFoundError(NOT_FOUND.format(name=""))
    parse_reference(asked)


async def _run(request: ApiRequest, services: ApiServices, embed_request: EmbedRequest) -> Embeddings:
    async with cancelled_when_gone(request.receive):
        return await services.embed(embed_request)


@post(
    "/api/embed", opt={"description": Description(body=EmbedBody, answer=EmbedReply, errors=(400, 403, 404, 500, 503))}
)
async def embed(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Vectors of some texts, at length 1. No text loads the model."""
    body = await read_body(request.receive, EmbedBody)
    _check_name(body.model)
    found = await _run(
        request,
        services,
        EmbedRequest(
            model=body.model,
            inputs=_inputs(body.input),
            truncate=body.truncate,
            dimensions=body.dimensions,
            options=body.options,
            keep_alive=parse_keep_alive(body.keep_alive),
        ),
    )
    many = sum(map(len, found.vectors)) > _MANY_NUMBERS
    vectors = await asyncio.to_thread(encode_vectors, found.vectors) if many else encode_vectors(found.vectors)
    return json_reply(
        EmbedReply(
            model=body.model,
            embeddings=msgspec.Raw(vectors),
            total_duration=found.timings.total_duration,
            load_duration=found.timings.load_duration,
            prompt_eval_count=found.timings.prompt_tokens,
        )
    )


@post(
    "/api/embeddings",
    opt={"description": Description(body=EmbeddingBody, answer=EmbeddingReply, errors=(400, 403, 404, 500, 503))},
)
async def embeddings(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """The vector of one text. The text is never cut; most models' vectors are at length 1."""
    body = await read_body(request.receive, EmbeddingBody)
    if not body.model:
        raise RequestError("model is required")
    embed_request = EmbedRequest(
        model=body.model,
        inputs=(body.prompt,) if body.prompt else (),
        truncate=False,
        options=body.options,
        keep_alive=parse_keep_alive(body.keep_alive),
        normalize=None,
    )
    try:
        found = await _run(request, services, embed_request)
    except (PromptTooLongError, UnusableVectorError) as error:
        # The client's fault, but the status of this endpoint is 500 for whatever happens while it runs.
        raise CamelidError(error.message, reason=error.reason) from error
    return json_reply(EmbeddingReply(msgspec.Raw(encode_vector(found.vectors[0]) if found.vectors else b"[]")))
