"""POST /api/chat (contract 5)."""

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.encoding import encode, encode_text
from camelid.api.ollama.generation import (
    DebugInfo,
    GenerationBody,
    Logprob,
    debug_info,
    joined,
    metrics,
    read_logprobs,
    reply,
)
from camelid.api.ollama.messages import MessageBody, read_messages
from camelid.api.ollama.tools import ToolBody, read_tools
from camelid.api.ollama.values import parse_think
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.timestamps import now
from camelid.services.chat import ChatRequest
from camelid.types.durations import parse_keep_alive
from camelid.types.generation import GenerationChunk
from camelid.types.json import JsonObject
from camelid.types.messages import ToolCall

__all__ = ("ChatShape", "chat")


class ChatBody(GenerationBody, kw_only=True):
    """The request (contract 5.1)."""

    messages: tuple[MessageBody, ...] = ()
    tools: tuple[ToolBody, ...] = ()


class ReplyFunction(msgspec.Struct):
    """The function of a call."""

    index: int
    name: str
    arguments: JsonObject


class ReplyToolCall(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A tool call."""

    id: str = ""
    function: ReplyFunction


class ReplyMessage(msgspec.Struct, omit_defaults=True):
    """The assistant's message, or a piece of it."""

    role: str
    content: str
    thinking: str = ""
    tool_calls: tuple[ReplyToolCall, ...] = ()


class ChatReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer, or a line of it (contract 5.5)."""

    model: str
    created_at: str
    message: ReplyMessage
    done: bool
    done_reason: str = ""
    debug: DebugInfo | None = msgspec.field(name="_debug_info", default=None)
    logprobs: tuple[Logprob, ...] = ()
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0


def _tool_call(call: ToolCall) -> ReplyToolCall:
    function = call.function
    return ReplyToolCall(id=call.id, function=ReplyFunction(function.index, function.name, function.arguments))


class ChatShape:
    """Writes the answers of one request."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = b'{"model":' + encode_text(model) + b',"created_at":"'

    def line(self, chunk: GenerationChunk) -> bytes:
        """A chunk as a line of a stream."""
        if chunk.thinking or chunk.tool_calls or chunk.logprobs or chunk.completion:
            return encode(self._reply(chunk)) + b"\n"
        # Nearly every chunk: text and nothing else.
        return b'%b%b","message":{"role":"assistant","content":%b},"done":false}\n' % (
            self._head,
            now().encode(),
            encode_text(chunk.content),
        )

    def whole(self, chunks: list[GenerationChunk]) -> ChatReply:
        """All chunks as one object."""
        return self._reply(joined(chunks))

    def _reply(self, chunk: GenerationChunk) -> ChatReply:
        calls = tuple(_tool_call(call) for call in chunk.tool_calls)
        answer = ChatReply(
            model=self._model,
            created_at=now(),
            message=ReplyMessage("assistant", chunk.content, chunk.thinking, calls),
            done=chunk.completion is not None,
            debug=debug_info(chunk),
            logprobs=read_logprobs(chunk.logprobs),
        )
        if chunk.completion is None:
            return answer
        return msgspec.structs.replace(answer, done_reason=chunk.completion.reason.value, **metrics(chunk.completion))


@post(
    "/api/chat",
    opt={
        "description": Description(body=ChatBody, answer=ChatReply, lines=ChatReply, errors=(400, 403, 404, 500, 503))
    },
)
async def chat(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Answer a conversation. An empty one loads or unloads the model, and is never answered with a stream."""
    body = await read_body(request.receive, ChatBody)
    chunks = services.chat(
        ChatRequest(
            model=body.model,
            messages=await read_messages(body.messages),
            tools=read_tools(body.tools),
            options=body.options,
            keep_alive=parse_keep_alive(body.keep_alive),
            think=parse_think(body.think),
            format=body.format,
            truncate=body.truncate,
            shift=body.shift,
            logprobs=body.logprobs,
            top_logprobs=body.top_logprobs,
            render_only=body.debug_render_only,
        )
    )
    stream = body.stream and bool(body.messages) and not body.debug_render_only
    return await reply(request, chunks, ChatShape(body.model), stream=stream)
