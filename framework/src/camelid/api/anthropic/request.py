"""From a request for `/v1/messages` to one for the chat service (contract 10.2)."""

from typing import Final

import msgspec

from camelid.api.anthropic.blocks import LoadPicture, TurnBody, read_system, read_turns
from camelid.errors import RemoteModelError, RequestError
from camelid.services.chat import ChatRequest
from camelid.services.checks import Think
from camelid.services.tool_choice import ToolChoice
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Function, Tool

__all__ = ("CountTokensBody", "MessagesBody", "read_count_request", "read_request")

_EFFORTS: Final = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}


class AnthropicToolBody(msgspec.Struct):
    """A tool on offer. Only those that the client describes and runs itself."""

    type: str = ""
    name: str = ""
    description: str = ""
    input_schema: JsonValue = None
    """JSON Schema of its input."""


class ToolChoiceBody(msgspec.Struct):
    """Whether the model calls tools: `auto`, `any`, `tool` (the one called `name`), or `none`."""

    type: str = "auto"
    name: str = ""
    disable_parallel_tool_use: bool = False


class ThinkingBody(msgspec.Struct):
    """Whether the model thinks: `enabled`, `disabled`; others leave it to the model."""

    type: str = ""
    budget_tokens: int = 0
    """Ignored."""


class OutputFormatBody(msgspec.Struct):
    """What the answer must be: `json_schema`."""

    type: str = ""
    schema: dict[str, object] | None = None


class OutputConfigBody(msgspec.Struct):
    """How hard the model thinks, if it can, and what its answer must be."""

    effort: str = ""
    format: OutputFormatBody | None = None


class CountTokensBody(msgspec.Struct, kw_only=True):
    """A conversation whose tokens are counted."""

    model: str = ""
    messages: tuple[TurnBody, ...] = ()
    system: JsonValue = None
    """A text, or a list of text blocks."""
    tools: tuple[AnthropicToolBody, ...] = ()
    tool_choice: ToolChoiceBody | None = None
    thinking: ThinkingBody | None = None
    output_config: OutputConfigBody | None = None
    output_format: OutputFormatBody | None = None
    """As in `output_config`; where older clients put it."""


class MessagesBody(CountTokensBody, kw_only=True):
    """The request. What is not here (`metadata`, `service_tier`, `container`, ...) is ignored."""

    max_tokens: int = 0
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: tuple[str, ...] = ()


async def read_request(body: MessagesBody, load: LoadPicture) -> ChatRequest:
    """What the client wants answered.

    Args:
        body: the request.
        load: gets pictures that it names by address.

    Raises:
        RequestError: the request is wrong, in the order of contract 10.1.
        RemoteModelError: it wants a tool that would run on somebody else's machines.
    """
    if not body.model:
        raise RequestError("model is required")
    if body.max_tokens <= 0:
        raise RequestError("max_tokens is required and must be positive")
    options: JsonObject = {
        "num_predict": body.max_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "stop": list(body.stop_sequences) or None,
    }
    return msgspec.structs.replace(await _read(body, load), options=options)


async def read_count_request(body: CountTokensBody, load: LoadPicture) -> ChatRequest:
    """What the client wants counted.

    Args:
        body: the request.
        load: gets pictures that it names by address.

    Raises:
        RequestError: the request is wrong.
        RemoteModelError: it wants a tool that would run on somebody else's machines.
    """
    if not body.model:
        raise RequestError("model is required")
    return msgspec.structs.replace(await _read(body, load), truncate=False, count_only=True)


async def _read(body: CountTokensBody, load: LoadPicture) -> ChatRequest:
    if not body.messages:
        raise RequestError("messages is required")
    return ChatRequest(
        model=body.model,
        messages=read_system(body.system) + await read_turns(body.messages, load),
        tools=tuple(_tool(tool) for tool in body.tools),
        tool_choice=_tool_choice(body.tool_choice),
        think=_think(body),
        think_if_able=True,
        format=_format(body),
    )


def _tool(tool: AnthropicToolBody) -> Tool:
    if tool.type.startswith("web_search_"):
        raise RemoteModelError("ollama cloud is disabled: web search is unavailable")
    if tool.type not in ("", "custom", "function"):
        raise RequestError(f'tool type "{tool.type}" is not supported: describe the tool with an input_schema')
    if not isinstance(tool.input_schema, dict):
        raise RequestError(f'invalid input_schema for tool "{tool.name}": it must be an object')
    return Tool(Function(tool.name, tool.description, {"type": "object", "properties": {}, **tool.input_schema}))


def _tool_choice(choice: ToolChoiceBody | None) -> ToolChoice:
    if choice is None:
        return ToolChoice()
    parallel = not choice.disable_parallel_tool_use
    match choice.type:
        case "auto":
            return ToolChoice(parallel=parallel)
        case "any":
            return ToolChoice("required", parallel=parallel)
        case "tool":
            if not choice.name:
                raise RequestError("tool_choice of type tool missing required 'name' field")
            return ToolChoice("required", choice.name, parallel)
        case "none":
            return ToolChoice("none")
    raise RequestError(f'invalid tool_choice type "{choice.type}" (must be "auto", "any", "tool", or "none")')


def _think(body: CountTokensBody) -> Think:
    kind = body.thinking.type if body.thinking is not None else ""
    if kind in ("enabled", "disabled"):
        return kind == "enabled"
    return _EFFORTS.get(body.output_config.effort) if body.output_config is not None else None


def _format(body: CountTokensBody) -> JsonValue:
    """The JSON Schema of the answer, if one is asked for."""
    wanted = (body.output_config and body.output_config.format) or body.output_format
    if wanted is None:
        return None
    if wanted.type != "json_schema" or wanted.schema is None:
        raise RequestError('output format must be of type "json_schema", with a schema')
    return wanted.schema
