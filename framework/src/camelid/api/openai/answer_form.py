"""What a request of OpenAI's chat says about the answer: its form, its tools, how hard to think (contract 9.2)."""

from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.services.checks import Think
from camelid.services.tool_choice import ToolChoice
from camelid.types.json import JsonValue
from camelid.types.messages import Function, Tool

__all__ = ("ChatTool", "ResponseFormat", "read_effort", "read_format", "read_stop", "read_tool_choice", "read_tools")

_EFFORTS: Final[dict[str, Think]] = {
    "": None,
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
}


class ChatFunction(msgspec.Struct):
    """A function on offer."""

    name: str = ""
    description: str = ""
    parameters: dict[str, object] | None = None
    """JSON Schema of its arguments; none: it takes none."""


class ChatTool(msgspec.Struct):
    """A tool on offer."""

    type: str = "function"
    function: ChatFunction = msgspec.field(default_factory=ChatFunction)


class JsonSchemaFormat(msgspec.Struct):
    """A schema. Its name does not matter, and answers are held to it whether it is `strict` or not."""

    schema_: dict[str, object] | None = msgspec.field(name="schema", default=None)


class ResponseFormat(msgspec.Struct):
    """What the answer must be: `text`, `json_object`, or `json_schema`."""

    type: str = ""
    json_schema: JsonSchemaFormat = msgspec.field(default_factory=JsonSchemaFormat)


def read_format(given: ResponseFormat) -> JsonValue:
    """Ollama's `format` for a response format.

    Raises:
        RequestError: it is none.
    """
    match given.type.strip().lower():
        case "" | "text":
            return None
        case "json_object":
            return "json"
        case "json_schema":
            if given.json_schema.schema_ is None:
                raise RequestError("response_format.json_schema.schema is missing")
            return given.json_schema.schema_
        case _:
            raise RequestError(f'invalid response_format type: "{given.type}" (text, json_object or json_schema)')


def read_tools(tools: tuple[ChatTool, ...]) -> tuple[Tool, ...]:
    """The tools of a request.

    Raises:
        RequestError: one of them is no function.
    """
    for tool in tools:
        if tool.type != "function":
            raise RequestError(f'tools of type "{tool.type}" are not supported, only functions')
    return tuple(
        Tool(
            Function(
                tool.function.name,
                tool.function.description,
                {"type": "object", "properties": {}, **(tool.function.parameters or {})},
            )
        )
        for tool in tools
    )


def read_tool_choice(
    value: JsonValue, tools: tuple[Tool, ...], *, parallel: bool
) -> tuple[ToolChoice, tuple[Tool, ...]]:
    """The choice, and the tools that are left to choose from.

    Args:
        value: a word, or an object with what is chosen.
        tools: those of the request.
        parallel: whether several calls in one answer are welcome.

    Raises:
        RequestError: it is no choice.
    """
    match value:
        case None | "auto":
            return ToolChoice(parallel=parallel), tools
        case "none":
            return ToolChoice("none", parallel=parallel), tools
        case "required":
            return ToolChoice("required", parallel=parallel), tools
        case {"type": "function", "function": {"name": str(name)}} if name:
            return ToolChoice("required", name, parallel), tools
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list(allowed)}}:
            names = [_name(each) for each in allowed]
            left = tuple(tool for tool in tools if tool.function.name in names)
            return ToolChoice("required" if mode == "required" else "auto", parallel=parallel), left
        case _:
            raise RequestError(
                "invalid tool_choice: it must be none, auto, required,"
                ' {"type": "function", "function": {"name": …}} or allowed_tools'
            )


def _name(allowed: JsonValue) -> str:
    match allowed:
        case {"function": {"name": str(name)}}:
            return name
        case _:
            return ""


def read_effort(*efforts: str) -> Think:
    """How hard to think, by the first word that is there.

    Raises:
        RequestError: it is none of those.
    """
    effort = next(filter(None, efforts), "")
    if effort not in _EFFORTS:
        raise RequestError(
            f'invalid reasoning value: "{effort}" (must be "minimal", "low", "medium", "high", "xhigh", "ultra", "max",'
            ' or "none")'
        )
    return _EFFORTS[effort]


def read_stop(value: JsonValue) -> list[str] | None:
    """Stop strings: one or a list, of which what is no text is left out; None where there is nothing."""
    if isinstance(value, str):
        return [value] if value else None
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str) and item]
    return None
