"""POST /v1/embeddings (contract 9.4)."""

import asyncio
from base64 import b64encode
from typing import Final

import msgspec
from litestar import Response, post

from camelid.api.body import read_compatible_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.openai.errors import OpenAIErrorReply
from camelid.api.openai.tokens import Given, read_given
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import terminated_json_reply
from camelid.api.vectors import encode_vector
from camelid.errors import RequestError
from camelid.services.embed import EmbedRequest
from camelid.services.vectors import Vector
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonValue

__all__ = ("openai_embeddings",)

_MANY_NUMBERS: Final = 4096
"""So many take a few milliseconds to print; more are printed beside the event loop."""


class OpenAIEmbeddingsBody(msgspec.Struct):
    """The request."""

    model: str = ""
    input: JsonValue = None
    """A text, token ids, or several of either."""
    dimensions: int = 0
    encoding_format: str = ""
    """`float`, or `base64` of little-endian 32-bit floats."""
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


class OpenAIEmbedding(msgspec.Struct):
    """The vector of an input."""

    object: str
    embedding: msgspec.Raw
    """Numbers, or a text in base64."""
    index: int


class EmbeddingsUsage(msgspec.Struct):
    """Counts of tokens, over all inputs."""

    prompt_tokens: int
    total_tokens: int


class OpenAIEmbeddings(msgspec.Struct):
    """The vectors of all inputs, in their order."""

    object: str
    data: list[OpenAIEmbedding]
    model: str
    usage: EmbeddingsUsage


@post(
    "/v1/embeddings",
    status_code=200,
    opt={
        "description": Description(
            body=OpenAIEmbeddingsBody,
            answer=OpenAIEmbeddings,
            errors=(400, 403, 404, 500, 503),
            error=OpenAIErrorReply,
        )
    },
)
async def openai_embeddings(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Vectors of some texts, at length 1."""
    body = await read_compatible_body(request, OpenAIEmbeddingsBody)
    inputs = _inputs(body.input)
    if body.encoding_format not in ("", "float", "base64"):
        raise RequestError(
            f"Invalid value for 'encoding_format' = {body.encoding_format}. Supported values: ['float', 'base64']."
        )
    if body.dimensions < 0:
        raise RequestError("dimensions must not be negative")
    embed_request = EmbedRequest(
        model=body.model,
        inputs=inputs,
        dimensions=body.dimensions,
        options=body.options,
        keep_alive=parse_keep_alive(body.keep_alive),
    )
    async with cancelled_when_gone(request.receive):
        found = await services.embed(embed_request)
    many = sum(map(len, found.vectors)) > _MANY_NUMBERS
    text = body.encoding_format == "base64"
    data = await asyncio.to_thread(_data, found.vectors, text) if many else _data(found.vectors, text)
    tokens = found.timings.prompt_tokens
    return terminated_json_reply(OpenAIEmbeddings("list", data, body.model, EmbeddingsUsage(tokens, tokens)))


def _inputs(value: JsonValue) -> tuple[Given, ...]:
    if value is None or value == []:
        raise RequestError("invalid input")
    given = read_given(value)
    if given is None or () in given:
        raise RequestError("invalid input type")
    return given


def _data(vectors: tuple[Vector, ...], text: bool) -> list[OpenAIEmbedding]:
    write = _base64 if text else encode_vector
    return [OpenAIEmbedding("embedding", msgspec.Raw(write(vector)), index) for index, vector in enumerate(vectors)]


def _base64(vector: Vector) -> bytes:
    return b'"%b"' % b64encode(vector.tobytes())
