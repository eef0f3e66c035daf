"""From a request for `/v1/responses` to one for the chat service (contract 9.6)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from camelid.api.json_values import read_struct
from camelid.api.openai.answer_form import read_effort
from camelid.api.openai.responses_items import ReasoningEcho, ResponseReply
from camelid.errors import RequestError
from camelid.services.chat import ChatRequest
from camelid.services.tool_choice import ToolChoice
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Function, Message, Tool

__all__ = ("ResponsesBody", "namespaces_of", "new_reply", "read_request")

_LOGPROBS: Final = "message.output_text.logprobs"
"""What a client includes that wants log-probabilities."""


class ResponsesReasoning(msgspec.Struct):
    """How hard to think."""

    effort: str = ""
    summary: str | None = None
    """Ignored: the thoughts are given as they are."""


class ResponsesText(msgspec.Struct):
    """What the answer must be: a format of type `text`, `json_object` or `json_schema`."""

    format: dict[str, object] = {}
    verbosity: str = ""
    """Ignored."""


class ResponsesBody(msgspec.Struct, kw_only=True):
    """The request. What is not named here is ignored."""

    model: str = ""
    input: JsonValue = None
    """A text, or a list of items: messages, calls of functions and what they gave, thoughts."""
    instructions: str | None = None
    """The system text; not carried over to responses that go on from this one."""
    previous_response_id: str = ""
    """A kept response, to go on from."""
    tools: tuple[dict[str, object], ...] = ()
    """Functions, or namespaces of functions. Tools that OpenAI's servers run are left out."""
    tool_choice: JsonValue = None
    """`none`, `auto`, `required`, or an object that names a function, or allowed tools."""
    parallel_tool_calls: bool = True
    stream: bool = False
    background: bool = False
    """Answer at once, and make the response afterwards."""
    store: bool = True
    """Keep the response, for requests that go on from it or ask for it again."""
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning: ResponsesReasoning | None = None
    text: ResponsesText = msgspec.field(default_factory=ResponsesText)
    truncation: str = ""
    """`disabled`: a conversation that is too long is an error."""
    include: tuple[str, ...] = ()
    """Only `message.output_text.logprobs` changes anything."""
    top_logprobs: int = 0
    metadata: dict[str, object] = {}
    max_tool_calls: int | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    conversation: JsonValue = None
    prompt: JsonValue = None


class ResponsesTool(msgspec.Struct):
    """A tool on offer."""

    type: str = ""
    name: str = ""
    description: str = ""
    parameters: dict[str, object] | None = None
    tools: tuple[dict[str, object], ...] = ()
    """Of a namespace."""


def read_request(body: ResponsesBody, messages: tuple[Message, ...]) -> ChatRequest:
    """What the client wants answered.

    Args:
        body: the request.
        messages: the whole conversation, without the instructions.

    Raises:
        RequestError: the request is wrong.
    """
    for name in ("conversation", "prompt"):
        if getattr(body, name) is not None:
            raise RequestError(f"{name} is not supported: send the input itself, or previous_response_id")
    tools = tuple(tool for tool, _ in _functions(body.tools))
    choice, tools = _tool_choice(body.tool_choice, tools, parallel=body.parallel_tool_calls)
    said: JsonObject = {"top_p": body.top_p, "num_predict": body.max_output_tokens}
    system = (Message(role="system", content=body.instructions),) if body.instructions else ()
    return ChatRequest(
        model=body.model,
        messages=system + messages,
        tools=tools,
        tool_choice=choice,
        options={**said, "temperature": 1.0 if body.temperature is None else body.temperature},
        think=read_effort(body.reasoning.effort) if body.reasoning is not None else None,
        format=_format(body.text.format),
        truncate=body.truncation != "disabled",
        logprobs=_LOGPROBS in body.include or body.top_logprobs > 0,
        top_logprobs=body.top_logprobs,
    )


def new_reply(body: ResponsesBody) -> ResponseReply:
    """The response to a request, without an answer: what it echoes."""
    reasoning = body.reasoning
    return ResponseReply(
        model=body.model,
        previous_response_id=body.previous_response_id or None,
        instructions=body.instructions,
        tools=[_shown(tool) for tool in body.tools],
        tool_choice=body.tool_choice or "auto",
        truncation=body.truncation or "disabled",
        parallel_tool_calls=body.parallel_tool_calls,
        text={"format": body.text.format or {"type": "text"}},
        top_p=1.0 if body.top_p is None else body.top_p,
        top_logprobs=body.top_logprobs,
        temperature=1.0 if body.temperature is None else body.temperature,
        reasoning=ReasoningEcho(reasoning.effort or None, reasoning.summary) if reasoning is not None else None,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        store=body.store,
        background=body.background,
        metadata=body.metadata,
        safety_identifier=body.safety_identifier,
        prompt_cache_key=body.prompt_cache_key,
    )


def namespaces_of(body: ResponsesBody) -> dict[str, tuple[str, str]]:
    """Namespace and name of each function that is offered in a namespace, by the name that the model knows."""
    return {
        tool.function.name: (namespace, tool.function.name.removeprefix(f"{namespace}."))
        for tool, namespace in _functions(body.tools)
        if namespace
    }


def _shown(tool: JsonObject) -> JsonObject:
    """A tool as it is echoed: functions have all their keys."""
    if tool.get("type") != "function":
        return tool
    return {"description": None, "parameters": None, "strict": None, **tool}


def _functions(tools: Sequence[JsonObject], namespace: str = "") -> list[tuple[Tool, str]]:
    """The functions among some tools, each with its namespace.

    Tools that OpenAI's servers would run are left out, as if the model never wanted them.
    """
    found: list[tuple[Tool, str]] = []
    for place, raw in enumerate(tools):
        tool = read_struct(raw, ResponsesTool, f"tools[{place}]")
        if tool.type == "namespace" and not namespace:
            found += _functions(tool.tools, tool.name)
        elif tool.type == "function":
            if not tool.name:
                raise RequestError(f"tools[{place}]: a function needs a name")
            name = f"{namespace}.{tool.name}" if namespace else tool.name
            parameters: JsonObject = {"type": "object", "properties": {}, **(tool.parameters or {})}
            found.append((Tool(Function(name, tool.description, parameters)), namespace))
    return found


def _tool_choice(value: JsonValue, tools: tuple[Tool, ...], *, parallel: bool) -> tuple[ToolChoice, tuple[Tool, ...]]:
    """The choice, and the tools that are left to choose from."""
    match value:
        case None | "auto":
            return ToolChoice(parallel=parallel), tools
        case "none":
            return ToolChoice("none"), tools
        case "required":
            return ToolChoice("required", parallel=parallel), tools
        case {"type": "function", "name": str(name)} if name:
            return ToolChoice("required", name, parallel), tools
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list(allowed)}:
            names = [each.get("name") for each in allowed if isinstance(each, dict)]
            left = tuple(tool for tool in tools if tool.function.name in names)
            return ToolChoice("required" if mode == "required" else "auto", parallel=parallel), left
    raise RequestError(
        'invalid tool_choice: it must be none, auto, required, {"type": "function", "name": …} or allowed_tools'
    )


def _format(given: JsonObject) -> JsonValue:
    """Ollama's `format` for a text format."""
    match given:
        case {"type": "json_schema", "schema": dict(schema)}:
            return schema
        case {"type": "json_object"}:
            return "json"
        case {"type": "text"}:
            return None
    if given:
        raise RequestError("invalid text.format: its type must be text, json_object, or json_schema with a schema")
    return None
