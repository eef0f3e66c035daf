"""Chat messages and tools as requests carry them (contract 5.1)."""

from collections.abc import Iterable

import msgspec

from camelid.api.base64_files import decode_files
from camelid.types.messages import FunctionCall, Message, ToolCall

__all__ = ("MessageBody", "read_messages")


class ToolCallFunctionBody(msgspec.Struct):
    """A function that the model called in an earlier turn."""

    index: int = 0
    name: str = ""
    arguments: dict[str, object] = {}


class ToolCallBody(msgspec.Struct):
    """A call in an earlier turn. A `type` is ignored."""

    id: str = ""
    function: ToolCallFunctionBody = msgspec.field(default_factory=ToolCallFunctionBody)


class MessageBody(msgspec.Struct):
    """One turn. Content is text only; other kinds have fields of their own."""

    role: str = ""
    content: str = ""
    thinking: str = ""
    images: tuple[str, ...] = ()
    tool_calls: tuple[ToolCallBody, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


async def read_messages(messages: Iterable[MessageBody]) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        RequestError: an image is no base64.
    """
    return tuple([await _read(message) for message in messages])


async def _read(message: MessageBody) -> Message:
    calls = (
        ToolCall(FunctionCall(call.function.name, call.function.arguments, call.function.index), call.id)
        for call in message.tool_calls
    )
    return Message(
        role=message.role.lower(),
        content=message.content,
        thinking=message.thinking,
        images=await decode_files(message.images),
        tool_calls=tuple(calls),
        tool_name=message.tool_name,
        tool_call_id=message.tool_call_id,
    )
