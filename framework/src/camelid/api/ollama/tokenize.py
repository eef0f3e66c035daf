"""POST /api/tokenize and POST /api/detokenize, which Ollama's users ask for (contract 23.2)."""

from typing import Final

import msgspec
from litestar import Response, post

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import json_reply
from camelid.errors import RequestError
from camelid.services.tokenize import DetokenizeRequest, TokenizeRequest
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonValue

__all__ = ("detokenize", "tokenize")

_IDS: Final = range(2**31)
"""What may be a token in some model's vocabulary."""


class TokenizeBody(msgspec.Struct):
    """The request. The text is in `content`, or in `text`: proposals to Ollama differ in its name."""

    model: str = ""
    content: str = ""
    text: str = ""
    add_special: bool = False
    """Put the model's begin and end tokens around the text, if it wants them."""
    parse_special: bool = True
    """Read the text of control tokens as those tokens."""
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


class TokenizeReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer."""

    model: str
    tokens: tuple[int, ...]
    total_duration: int = 0
    load_duration: int = 0


class DetokenizeBody(msgspec.Struct):
    """The request."""

    model: str = ""
    tokens: tuple[int, ...] = ()
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


class DetokenizeReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer: the text twice, as proposals to Ollama differ in its name."""

    model: str
    content: str
    text: str
    total_duration: int = 0
    load_duration: int = 0


@post(
    "/api/tokenize",
    opt={"description": Description(body=TokenizeBody, answer=TokenizeReply, errors=(400, 403, 404, 500, 503))},
)
async def tokenize(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Tokens of a text, as the model reads it."""
    body = await read_body(request.receive, TokenizeBody)
    async with cancelled_when_gone(request.receive):
        found = await services.tokenize(
            TokenizeRequest(
                model=body.model,
                text=body.content or body.text,
                add_special=body.add_special,
                parse_special=body.parse_special,
                options=body.options,
                keep_alive=parse_keep_alive(body.keep_alive),
            )
        )
    return json_reply(
        TokenizeReply(
            model=body.model,
            tokens=found.tokens,
            total_duration=found.timings.total_duration,
            load_duration=found.timings.load_duration,
        )
    )


@post(
    "/api/detokenize",
    opt={"description": Description(body=DetokenizeBody, answer=DetokenizeReply, errors=(400, 403, 404, 500, 503))},
)
async def detokenize(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Text of tokens; control tokens are no text."""
    body = await read_body(request.receive, DetokenizeBody)
    wrong = next((token for token in body.tokens if token not in _IDS), None)
    if wrong is not None:
        raise RequestError(f"token {wrong} is in no model's vocabulary")
    async with cancelled_when_gone(request.receive):
        found = await services.detokenize(
            DetokenizeRequest(
                model=body.model,
                tokens=body.tokens,
                options=body.options,
                keep_alive=parse_keep_alive(body.keep_alive),
            )
        )
    return json_reply(
        DetokenizeReply(
            model=body.model,
            content=found.text,
            text=found.text,
            total_duration=found.timings.total_duration,
            load_duration=found.timings.load_duration,
        )
    )
