"""What all formats of tool calls have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from secrets import choice
from string import ascii_lowercase, digits
from typing import Final

from camelid.contracts.answers.json_calls import CallRequest, json_object, parse_calls, write_json
from camelid.contracts.answers.parser import ScanningParser
from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.typed_text import typed
from camelid.types.json import JsonObject
from camelid.types.messages import FunctionCall, Tool, ToolCall

__all__ = ("ToolCallParser", "ToolDesk")

_ID_CHARACTERS: Final = ascii_lowercase + digits


class ToolDesk:
    """The tools that a request offers, and the calls of them in one answer."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._schemas = {tool.function.name: tool.function.parameters or {} for tool in tools}
        self.names = tuple(self._schemas)
        self.made = 0
        """How many calls there were so far."""

    def call(self, asked: CallRequest) -> ToolCall | None:
        """The call with its number and id (contract 5.4); None if no such tool is on offer."""
        arguments = json_object(asked.arguments)
        if asked.name not in self._schemas or arguments is None:
            return None
        identity = "call_" + "".join(choice(_ID_CHARACTERS) for _ in range(8))
        call = ToolCall(FunctionCall(asked.name, arguments, self.made), identity)
        self.made += 1
        return call

    def calls(self, asked: Sequence[CallRequest]) -> tuple[ToolCall, ...]:
        """Several calls; none if one of them is none."""
        known = all(each.name in self._schemas and json_object(each.arguments) is not None for each in asked)
        return tuple(call for each in asked if (call := self.call(each)) is not None) if known else ()

    def properties(self, name: str) -> JsonObject:
        """The schemas of a tool's arguments, by name, in order; empty if they are unknown."""
        properties = self._schemas.get(name, {}).get("properties")
        return properties if isinstance(properties, dict) else {}

    def typed(self, name: str, texts: Mapping[str, str]) -> JsonObject:
        """Arguments that a model wrote without quotes, as what the tool's schema says they are."""
        schemas = self.properties(name)
        return {key: typed(text, schemas.get(key)) for key, text in texts.items()}


class ToolCallParser(ScanningParser):
    """Takes tool calls out of an answer. Calls stand in blocks that begin with a tag; the rest is content.

    Say what `tags` there are, and `read_block`. A block without any valid call of an offered tool is content, too.
    White space that stands alone beside a call is dropped.
    """

    tags: tuple[str, ...]
    """Any of them begins a block."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        """Begin.

        Args:
            tools: what the request offers.
        """
        super().__init__()
        self.desk = ToolDesk(tools)
        self.tag = ""
        """What began the block that is being read."""

    @abstractmethod
    def read_block(self) -> Steps[bool]:
        """Read what follows `self.tag`, to the end of the block.

        Returns:
            Whether there was a call. If not, all that was read becomes content.
        """

    def read(self) -> Steps[None]:
        """Content and blocks in turn."""
        while True:
            space = yield from self.text.space()
            tag = yield from self.text.accept(*self.tags)
            if not tag:
                ended = not (yield from self.text.peek())
                self.say("" if ended and self.desk.made else space)
                space = ""
                tag = yield from self.text.copy_until(self.tags, self.say)
            if not tag:
                return
            yield from self.read_marked(tag, space)

    def read_marked(self, tag: str, before: str = "") -> Steps[None]:
        """Read a block; what is no call is content, and so is what stood right before it."""
        self.text.mark(before + tag)
        self.tag = tag
        found = yield from self.read_block()
        taken = self.text.marked()
        if not found:
            self.say(taken)

    def close_block(self, *tags: str) -> Steps[bool]:
        """Take what closes a block after its last call; without it, what was taken since the mark is read again."""
        tag = yield from self.text.accept(*tags)
        taken = self.text.marked()
        if tag:
            self.say(taken.removesuffix(tag).lstrip())
        else:
            self.text.put_back(taken)
        return True

    def offer(self, name: str, arguments: object) -> bool:
        """Tell of a call; false if it is none."""
        call = self.desk.call(CallRequest(name, arguments))
        if call is not None:
            self.call(call)
        return call is not None

    def offer_all(self, asked: Sequence[CallRequest]) -> bool:
        """Tell of several calls; false, and nothing is told, if there are none or one of them is no call."""
        calls = self.desk.calls(asked)
        for call in calls:
            self.call(call)
        return bool(calls)

    def offer_json(self, text: str) -> bool:
        """Tell of the calls in a JSON object or array; false if there is none.

        Those among valid ones that are not become content.
        """
        found = False
        rejected: list[object] = []
        for value, asked in parse_calls(text):
            if asked is not None and self.offer(asked.name, asked.arguments):
                found = True
            else:
                rejected.append(value)
        if found:
            self.say("".join(map(write_json, rejected)))
        return found
