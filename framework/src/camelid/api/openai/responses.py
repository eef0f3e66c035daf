"""POST /v1/responses and POST /v1/responses/input_tokens (contract 9.6)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec
from litestar import Response, post
from litestar.types import ASGIApp

from camelid.api.body import read_compatible_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.encoding import encode
from camelid.api.errors import log_error
from camelid.api.events import EventStream
from camelid.api.openai.errors import OpenAIErrorReply
from camelid.api.openai.responses_input import read_input, shown_items
from camelid.api.openai.responses_items import ResponseReply
from camelid.api.openai.responses_output import Answer
from camelid.api.openai.responses_request import ResponsesBody, namespaces_of, new_reply, read_request
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import terminated_json_reply
from camelid.errors import RequestError
from camelid.services.chat import ChatRequest
from camelid.services.container import Services
from camelid.services.kept_responses import KeptResponse
from camelid.types.generation import GenerationChunk
from camelid.types.messages import Message

__all__ = ("input_tokens", "responses")

_ERRORS: Final = (400, 403, 404, 500, 503)


class ResponseEvent(msgspec.Struct):
    """What all events of a stream have. The others' fields are those of OpenAI's events."""

    type: str
    sequence_number: int


class InputTokensReply(msgspec.Struct):
    """The number of tokens that a request's input is to the model."""

    object: str
    input_tokens: int


class _Made:
    """One response on its way: what it answers, and where it is kept."""

    def __init__(self, services: Services, body: ResponsesBody, messages: tuple[Message, ...]) -> None:
        """Prepare.

        Raises:
            RequestError: the request is wrong.
        """
        self._services = services
        self._messages = messages
        self._items = shown_items(body.input or []) if body.store else ()
        self.request: ChatRequest = read_request(body, messages)
        self.answer = Answer(new_reply(body), namespaces_of(body), stream=body.stream)

    @property
    def reply(self) -> ResponseReply:
        """As far as it is made."""
        return self.answer.reply

    def keep(self) -> None:
        """Keep it as it is now, if the client wants that."""
        if self.reply.store:
            kept = KeptResponse(
                reply=encode(self.reply) + b"\n",
                input_items=self._items,
                messages=(*self._messages, self.answer.message()),
                finished=self.reply.status in ("completed", "incomplete"),
            )
            self._services.kept_responses.put(self.reply.id, kept)

    async def pieces(self) -> AsyncGenerator[None, None]:
        """Make it; something comes whenever there is more of it. It is kept before its end is told."""
        chunks: AsyncGenerator[GenerationChunk, None] = self._services.chat(self.request)
        async with aclosing(chunks):
            async for chunk in chunks:
                self.answer.piece(chunk)
                if chunk.completion is not None:
                    self.keep()
                yield

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Make it, as events."""
        async with aclosing(self.pieces()) as pieces:
            async for _ in pieces:
                yield self.answer.written()

    def failed(self, error: Exception) -> bytes:
        """The last event of a stream that an error ends."""
        self.answer.fail(error)
        self.keep()
        return self.answer.written()

    async def whole(self) -> None:
        """Make all of it."""
        async with aclosing(self.pieces()) as pieces:
            async for _ in pieces:
                pass

    async def unattended(self) -> None:
        """Make it while nobody waits; whatever comes of it is kept."""
        self.reply.status = "in_progress"
        self.keep()
        try:
            await self.whole()
        except BaseException as error:
            if isinstance(error, Exception):
                log_error(error)
                self.answer.fail(error)
                self.keep()
                return
            self.answer.cancel()
            self.keep()
            raise


async def _made(services: Services, body: ResponsesBody) -> _Made:
    if not body.model:
        raise RequestError("model is required")
    before = _conversation(services, body.previous_response_id) if body.previous_response_id else ()
    messages = before + await read_input(body.input or [], services.remote_pictures(), before)
    if not messages:
        raise RequestError("input is required")
    return _Made(services, body, messages)


def _conversation(services: Services, name: str) -> tuple[Message, ...]:
    """The conversation that a kept response ended with."""
    kept = services.kept_responses.get(name)
    if not kept.finished:
        raise RequestError(f"response '{name}' has no answer to go on from")
    return kept.messages


@post(
    "/v1/responses",
    status_code=200,
    opt={
        "description": Description(
            body=ResponsesBody, answer=ResponseReply, events=ResponseEvent, errors=_ERRORS, error=OpenAIErrorReply
        )
    },
)
async def responses(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Answer, as OpenAI's Responses API does, and keep the answer for a while."""
    body = await read_compatible_body(request, ResponsesBody)
    made = await _made(services, body)
    if body.stream:
        return EventStream(
            made.events(),
            failed=made.failed,
            headers=((b"cache-control", b"no-cache"), (b"connection", b"keep-alive")),
        )
    if body.background:
        if not body.store:
            raise RequestError("a response in the background must be stored: leave out store, or background")
        await services.models.find(body.model)
        made.reply.status = "queued"
        made.keep()
        services.kept_responses.run(made.reply.id, made.unattended())
    else:
        async with cancelled_when_gone(request.receive):
            await made.whole()
    return terminated_json_reply(made.reply).to_asgi_response(None, request)


@post(
    "/v1/responses/input_tokens",
    status_code=200,
    opt={
        "description": Description(body=ResponsesBody, answer=InputTokensReply, errors=_ERRORS, error=OpenAIErrorReply)
    },
)
async def input_tokens(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Count the tokens of a response's input, without answering it. The model is loaded for that."""
    made = await _made(services, await read_compatible_body(request, ResponsesBody))
    wanted = msgspec.structs.replace(made.request, truncate=False, count_only=True)
    async with aclosing(services.chat(wanted)) as chunks, cancelled_when_gone(request.receive):
        counted = [chunk.completion.timings.prompt_tokens async for chunk in chunks if chunk.completion]
    return terminated_json_reply(InputTokensReply("response.input_tokens", sum(counted)))
