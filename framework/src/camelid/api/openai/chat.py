"""POST /v1/chat/completions (contract 9.2)."""

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_compatible_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.events import EventStream
from camelid.api.openai.answer_form import (
    ChatTool,
    ResponseFormat,
    read_effort,
    read_format,
    read_stop,
    read_tool_choice,
    read_tools,
)
from camelid.api.openai.chat_reply import ChatCompletion, ChatCompletionChunk, ChatShape
from camelid.api.openai.errors import OpenAIErrorReply, error_event
from camelid.api.openai.generation import GenerationFields, choice_count, read_options
from camelid.api.openai.messages import ChatMessage, read_messages
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import terminated_json_reply
from camelid.errors import RequestError
from camelid.services.chat import ChatRequest
from camelid.services.choices import merged
from camelid.services.container import Services
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonValue

__all__ = ("chat_completions",)


class Reasoning(msgspec.Struct):
    """Another way to say how hard to think."""

    effort: str = ""


class ChatCompletionBody(GenerationFields, kw_only=True):
    """The request. What is not named here is ignored."""

    messages: tuple[ChatMessage, ...] = ()
    max_completion_tokens: int | None = None
    """Wins over `max_tokens`, its older name."""
    response_format: ResponseFormat = msgspec.field(default_factory=ResponseFormat)
    tools: tuple[ChatTool, ...] = ()
    tool_choice: JsonValue = None
    """`none`, `auto`, `required`, or an object that names a function."""
    parallel_tool_calls: bool = True
    reasoning: Reasoning = msgspec.field(default_factory=Reasoning)
    reasoning_effort: str = ""
    logprobs: bool = False
    top_logprobs: int = 0


@post(
    "/v1/chat/completions",
    status_code=200,
    opt={
        "description": Description(
            body=ChatCompletionBody,
            answer=ChatCompletion,
            events=ChatCompletionChunk,
            errors=(400, 403, 404, 500, 503),
            error=OpenAIErrorReply,
        )
    },
)
async def chat_completions(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Answer a conversation."""
    body = await read_compatible_body(request, ChatCompletionBody)
    count = choice_count(body.n)
    asked = await _read(body, services)
    chunks = merged([services.chat(msgspec.structs.replace(asked, choice=place)) for place in range(count)])
    shape = ChatShape(body.model, count, include_usage=body.stream_options.include_usage)
    if body.stream:
        return EventStream(shape.events(chunks), failed=error_event)
    async with cancelled_when_gone(request.receive):
        answer = await shape.whole(chunks)
    return terminated_json_reply(answer).to_asgi_response(None, request)


async def _read(body: ChatCompletionBody, services: Services) -> ChatRequest:
    if not body.messages:
        raise RequestError("[] is too short - 'messages'")
    tools = read_tools(body.tools)
    choice, tools = read_tool_choice(body.tool_choice, tools, parallel=body.parallel_tool_calls)
    most = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    return ChatRequest(
        model=body.model,
        messages=await read_messages(body.messages, services.remote_pictures()),
        tools=tools,
        tool_choice=choice,
        options=read_options(body, read_stop(body.stop), most),
        keep_alive=parse_keep_alive(body.keep_alive),
        think=read_effort(body.reasoning.effort, body.reasoning_effort),
        format=read_format(body.response_format),
        logprobs=body.logprobs,
        top_logprobs=body.top_logprobs,
    )
