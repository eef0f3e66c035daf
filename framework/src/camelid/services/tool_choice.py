"""Calls that a client insists on: the answer is held to them, whatever the model would have liked to say.

Ollama has no such thing (contract 9.1); OpenAI's and Anthropic's clients rely on it.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from camelid.contracts.answers.json_calls import json_value, parse_calls, write_json
from camelid.contracts.answers.parser import OutputParser, Parsed
from camelid.contracts.answers.tool_calls import ToolDesk
from camelid.errors import RequestError
from camelid.prompts.pipeline import Pipeline
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Message, Tool

__all__ = ("FirstCall", "ToolChoice", "forced_tools", "reader_of_forced", "schema_of_forced", "told_of_tools")

_MOST_CALLS: Final = 8
"""Of one answer. A small model that may go on calling does."""


class ToolChoice(msgspec.Struct, frozen=True):
    """Whether the model calls tools."""

    mode: Literal["auto", "none", "required"] = "auto"
    """`none`: it does not even hear of them. `required`: it calls at least one."""
    name: str = ""
    """With `required`: the one that it calls."""
    parallel: bool = True
    """Several calls in one answer are welcome; otherwise the first is the only one."""


def forced_tools(choice: ToolChoice, tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """The tools of which one must be called; none if none must.

    Raises:
        RequestError: the choice needs a tool that is not there.
    """
    if choice.mode != "required":
        return ()
    if not tools:
        raise RequestError("a tool call is required, but there are no tools: send tools, or another tool_choice")
    wanted = tuple(tool for tool in tools if choice.name in ("", tool.function.name))
    if not wanted:
        raise RequestError(f'tool_choice wants "{choice.name}", which is not among the tools')
    return wanted


def schema_of_forced(choice: ToolChoice, tools: Sequence[Tool]) -> JsonObject:
    """What the answer must be: a call, or a list of calls if several are welcome.

    Args:
        choice: tells how many.
        tools: those that may be called.

    Raises:
        RequestError: a schema is too deep.
    """
    schemas = {f"arguments-{place}": _schema(tool, f"#/$defs/arguments-{place}") for place, tool in enumerate(tools)}
    calls: list[JsonValue] = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.function.name}, "arguments": {"$ref": f"#/$defs/{place}"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool, place in zip(tools, schemas, strict=True)
    ]
    call: JsonObject = {"anyOf": calls}
    one = bool(choice.name) or not choice.parallel
    answer: JsonObject = call if one else {"type": "array", "items": call, "minItems": 1, "maxItems": _MOST_CALLS}
    return {**answer, "$defs": schemas}


def _schema(tool: Tool, place: str) -> JsonObject:
    """The schema of a tool's arguments, moved into another one; objects are all that arguments can be."""
    try:
        moved = _moved(tool.function.parameters or {"properties": {}}, place)
    except RecursionError as error:
        raise RequestError(f'the parameters of "{tool.function.name}" are too deep', reason=str(error)) from error
    return {**moved, "type": "object"} if isinstance(moved, dict) else {"type": "object"}


def _moved(value: JsonValue, place: str) -> JsonValue:
    """A schema whose root is at `place` now: references begin there."""
    if isinstance(value, list):
        return [_moved(item, place) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: place + item.removeprefix("#")
        if key == "$ref" and isinstance(item, str) and item.startswith("#")
        else _moved(item, place)
        for key, item in value.items()
    }


def reader_of_forced(tools: Sequence[Tool], before: OutputParser | None) -> OutputParser:
    """Reads an answer of `schema_of_forced`.

    Args:
        tools: those that may be called.
        before: takes the thoughts out.
    """
    calls = _CallsAlone(tools)
    return Pipeline(before, calls) if before is not None else calls


class _CallsAlone(OutputParser):
    """All of the text is calls; if it is cut off, it is content."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._desk = ToolDesk(tools)
        self._text: list[str] = []

    def feed(self, text: str) -> list[Parsed]:
        """Keep the text: a call is worth nothing before it is whole."""
        self._text.append(text)
        return []

    def finish(self) -> list[Parsed]:
        """The calls."""
        text = "".join(self._text)
        calls = self._desk.calls([asked for _, asked in parse_calls(text) if asked is not None])
        if calls:
            return [Parsed(calls=(call,)) for call in calls]
        return [Parsed(content=text)] if text else []


class FirstCall(OutputParser):
    """Passes on what another parser finds, with no call but the first."""

    def __init__(self, parser: OutputParser) -> None:
        self._parser = parser
        self._called = False
        self.markup = parser.markup
        self.thoughts = parser.thoughts

    def feed(self, text: str) -> list[Parsed]:
        """What the parser finds."""
        return self._kept(self._parser.feed(text))

    def finish(self) -> list[Parsed]:
        """The rest."""
        return self._kept(self._parser.finish())

    def _kept(self, pieces: list[Parsed]) -> list[Parsed]:
        kept: list[Parsed] = []
        for piece in pieces:
            if not piece.calls:
                kept.append(piece)
            elif not self._called:
                self._called = True
                kept.append(Parsed(calls=piece.calls[:1]))
        return kept


def told_of_tools(messages: Sequence[Message], tools: Sequence[Tool]) -> list[Message]:
    """A conversation for a model whose template has no place for tools: told in words what it may call, and did."""
    offers = "\n".join(write_json(msgspec.to_builtins(tool.function)) for tool in tools)
    text = f'These functions may be called with {{"name": ..., "arguments": {{...}}}}:\n{offers}'
    told = [_in_words(message) for message in messages]
    if told and told[0].role == "system":
        told[0] = msgspec.structs.replace(told[0], content=f"{told[0].content}\n\n{text}")
        return told
    return [Message(role="system", content=text), *told]


def _in_words(message: Message) -> Message:
    if message.role == "tool":
        content = f"{message.tool_name or 'The function'} returned: {message.content}"
        return msgspec.structs.replace(message, role="user", content=content)
    if not message.tool_calls:
        return message
    calls = [
        write_json({"name": call.function.name, "arguments": json_value(call.function.arguments)})
        for call in message.tool_calls
    ]
    return msgspec.structs.replace(message, content="\n".join(filter(None, [message.content, *calls])), tool_calls=())
