"""POST /v1/messages and POST /v1/messages/count_tokens (contract 10)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Final

import msgspec
from litestar import Response, post
from litestar.types import ASGIApp

from camelid.api.anthropic.errors import AnthropicErrorReply, error_event, new_request_id
from camelid.api.anthropic.pings import with_silences
from camelid.api.anthropic.reply import PING, MessageEvents, MessageReply, MessagesEvent, whole_message
from camelid.api.anthropic.request import CountTokensBody, MessagesBody, read_count_request, read_request
from camelid.api.body import read_compatible_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.events import EventStream
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import terminated_json_reply
from camelid.types.generation import GenerationChunk

__all__ = ("count_tokens", "messages")

_PATIENCE: Final = 15.0
"""Seconds of silence until a stream says that it goes on. The first of them also decides that there is a stream: a
model that takes longer to load can fail in the stream only, but no proxy takes the connection for dead."""

_ERRORS: Final = (400, 403, 404, 500, 503)


class CountTokensReply(msgspec.Struct):
    """The number of tokens that a conversation is to the model."""

    input_tokens: int


async def _events(
    chunks: AsyncGenerator[GenerationChunk, None], shape: MessageEvents, patience: float = _PATIENCE
) -> AsyncGenerator[bytes, None]:
    """The events of an answer, whole ones, with pings where nothing else is to say."""
    started = False
    async with aclosing(with_silences(chunks, patience)) as pieces:
        async for chunk in pieces:
            beginning = b"" if started else shape.start()
            started = True
            yield beginning + (PING if chunk is None else shape.piece(chunk))


@post(
    "/v1/messages",
    opt={
        "description": Description(
            body=MessagesBody, answer=MessageReply, events=MessagesEvent, errors=_ERRORS, error=AnthropicErrorReply
        )
    },
)
async def messages(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Answer a conversation, as Anthropic's API does."""
    body = await read_compatible_body(request, MessagesBody)
    wanted = await read_request(body, services.remote_pictures().load)
    chunks = services.chat(wanted)
    request_id = new_request_id()
    if body.stream:
        return EventStream(
            _events(chunks, MessageEvents(wanted, body.stop_sequences)),
            failed=partial(error_event, request_id=request_id),
            headers=(
                (b"cache-control", b"no-cache"),
                (b"connection", b"keep-alive"),
                (b"request-id", request_id.encode()),
            ),
        )
    async with aclosing(chunks), cancelled_when_gone(request.receive):
        collected = [chunk async for chunk in chunks]
    reply = terminated_json_reply(whole_message(body.model, body.stop_sequences, collected))
    reply.set_header("request-id", request_id)
    return reply.to_asgi_response(None, request)


@post(
    "/v1/messages/count_tokens",
    opt={
        "description": Description(
            body=CountTokensBody, answer=CountTokensReply, errors=_ERRORS, error=AnthropicErrorReply
        )
    },
)
async def count_tokens(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Count the tokens of a conversation, without answering it. The model is loaded for that."""
    body = await read_compatible_body(request, CountTokensBody)
    wanted = await read_count_request(body, services.remote_pictures().load)
    async with aclosing(services.chat(wanted)) as chunks, cancelled_when_gone(request.receive):
        collected = [chunk async for chunk in chunks]
    counted = next(chunk.completion.timings.prompt_tokens for chunk in collected if chunk.completion)
    reply = terminated_json_reply(CountTokensReply(counted))
    reply.set_header("request-id", new_request_id())
    return reply
