"""Ids of tool calls for templates that are particular about them."""

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from camelid.types.messages import Message, ToolCall

__all__ = ("with_plain_ids",)


def with_plain_ids(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages with ids of nine digits, for each call and for the result that belongs to it.

    Mistral's templates take nine letters or digits and nothing else, while clients may leave ids out.
    """
    numbers = (f"{number:09}" for number in itertools.count(1))
    plain: dict[str, str] = {}
    waiting: list[ToolCall] = []
    changed: list[Message] = []
    for message in messages:
        if message.tool_calls:
            calls = tuple(msgspec.structs.replace(call, id=next(numbers)) for call in message.tool_calls)
            plain |= {old.id: new.id for old, new in zip(message.tool_calls, calls, strict=True) if old.id}
            waiting += calls
            changed.append(msgspec.structs.replace(message, tool_calls=calls))
        elif message.role == "tool":
            identity = _identity(message, plain, waiting) or next(numbers)
            waiting = [call for call in waiting if call.id != identity]
            changed.append(msgspec.structs.replace(message, tool_call_id=identity))
        else:
            changed.append(message)
    return tuple(changed)


def _identity(result: Message, plain: Mapping[str, str], waiting: Sequence[ToolCall]) -> str:
    """The id of the call that a result answers: by its id, else the first of its name, else the first of all."""
    if result.tool_call_id in plain:
        return plain[result.tool_call_id]
    named = (call.id for call in waiting if call.function.name == result.tool_name)
    return next(named, waiting[0].id if waiting else "")
