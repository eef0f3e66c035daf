"""Tools as requests carry them: JSON Schema, of which Ollama keeps a few keywords (contract 5.1).

What a template sees must look the same as under Ollama: same keywords, same order, unknown ones dropped.
"""

from collections.abc import Iterable

import msgspec

from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Function, Tool

__all__ = ("ToolBody", "read_tools")


class ToolPropertyBody(msgspec.Struct, omit_defaults=True):
    """Schema of one argument, or of a part of one. The order of the fields is what templates see."""

    any_of: "list[ToolPropertyBody]" = msgspec.field(name="anyOf", default_factory=list)
    type: str | list[str] | None = None
    """A type's name, or a list of names."""
    items: JsonValue = None
    description: str = ""
    enum: list[object] = []
    properties: "dict[str, ToolPropertyBody]" = {}
    required: list[str] = []

    def __post_init__(self) -> None:
        """A list of one type is that type, and an empty one is none."""
        if isinstance(self.type, list) and len(self.type) < 2:
            self.type = self.type[0] if self.type else None


class ToolFunctionParametersBody(msgspec.Struct, omit_defaults=True):
    """Schema of all arguments of a function."""

    defs: JsonValue = msgspec.field(name="$defs", default=None)
    items: JsonValue = None
    required: list[str] = []
    type: str = ""
    properties: dict[str, ToolPropertyBody] | None = None


class ToolFunctionBody(msgspec.Struct):
    """A function on offer."""

    name: str = ""
    description: str = ""
    parameters: ToolFunctionParametersBody = msgspec.field(default_factory=ToolFunctionParametersBody)


class ToolBody(msgspec.Struct):
    """A tool on offer."""

    type: str = ""
    function: ToolFunctionBody = msgspec.field(default_factory=ToolFunctionBody)


def read_tools(tools: Iterable[ToolBody]) -> tuple[Tool, ...]:
    """The tools of a request."""
    return tuple(
        Tool(
            Function(tool.function.name, tool.function.description, _schema(tool.function.parameters)),
            tool.type or "function",
        )
        for tool in tools
    )


def _schema(parameters: ToolFunctionParametersBody) -> JsonObject:
    """The kept keywords; `type` and `properties` are there even if nobody wrote them."""
    kept: JsonObject = msgspec.to_builtins(parameters)
    return {
        "type": kept.pop("type", ""),
        **{key: value for key, value in kept.items() if key != "properties"},
        "properties": kept.get("properties"),
    }
