"""Chat messages, tools and tool calls (contract 5.1, 5.5)."""

import msgspec

from camelid.types.json import JsonObject

__all__ = ("Function", "FunctionCall", "Message", "Tool", "ToolCall")


class FunctionCall(msgspec.Struct):
    """A function the model wants called."""

    name: str
    arguments: JsonObject = {}
    index: int = 0
    """Position among the calls of one turn, from 0."""


class ToolCall(msgspec.Struct, omit_defaults=True):
    """One tool call of an assistant's message."""

    function: FunctionCall
    id: str = ""


class Message(msgspec.Struct, omit_defaults=True):
    """One turn of a chat."""

    role: str
    """`system`, `user`, `assistant` or `tool`; others reach the template as they are."""
    content: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    """Decoded image files, in the order they were given."""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


class Function(msgspec.Struct, omit_defaults=True):
    """A function offered to the model."""

    name: str
    description: str = ""
    parameters: JsonObject | None = None
    """JSON Schema of the arguments, in the order it was written."""


class Tool(msgspec.Struct):
    """A tool offered to the model."""

    function: Function
    type: str = "function"
