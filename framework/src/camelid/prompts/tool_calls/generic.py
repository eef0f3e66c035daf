"""Tool calls of models that are known by nothing but their template (contract 12.6)."""

import re
from collections.abc import Sequence
from typing import Final

from camelid.contracts.answers.json_calls import json_object
from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Tool

__all__ = ("GenericParser",)

_JUST_MARKUP: Final = re.compile(r"(?:[\s\[\],;]|</?[^<>\s]+>)*")

_CONTROL: Final = re.compile(r"<[^<>\s]+>|\[\w+\]")
"""What may be a control token of its own in a tag."""


class GenericParser(ToolCallParser):
    """After a tag, a JSON object belongs to the offered tool that is named in it or before it."""

    def __init__(self, tools: Sequence[Tool], tag: str) -> None:
        """Begin.

        Args:
            tools: what the request offers.
            tag: what the template puts before calls; after `{` and `[` only an answer that begins so has calls.
        """
        super().__init__(tools)
        self.tags = (tag,)
        self._bare = tag in ("{", "[")
        self.markup = () if self._bare else (tag, *_CONTROL.findall(tag))
        by_length = sorted(filter(None, self.desk.names), key=len, reverse=True)
        self._mention = re.compile("|".join(map(re.escape, by_length)) or r"(?!)")

    def read(self) -> Steps[None]:
        """Content, and all after the tag as one block."""
        if not self._bare:
            yield from super().read()
            return
        space = yield from self.text.space()
        if (yield from self.text.peek()) == self.tags[0]:
            yield from self.read_marked(space)
        else:
            self.say(space)
        yield from self.text.copy_until((), self.say)

    def read_block(self) -> Steps[bool]:
        """Objects and what stands between them, to the end of the answer."""
        found, before = False, ""
        while True:
            text = yield from self.text.before("{")
            if not (yield from self.text.peek()):
                break
            written = yield from self.text.json()
            before += text + written
            if self._offer(before, written):
                found, before = True, ""
                self.text.mark()
        rest = self.text.marked() if found else ""
        self.say("" if _JUST_MARKUP.fullmatch(rest) else rest)
        return found

    def _offer(self, text: str, written: str) -> bool:
        """Tell of the call in an object if a tool is mentioned."""
        mention = self._mention.search(text)
        value = json_object(written)
        if mention is None or value is None:
            return False
        arguments = _arguments(value, mention[0])
        return arguments is not None and self.offer(mention[0], arguments)


def _arguments(value: JsonObject, name: str) -> JsonObject | None:
    """The arguments in an object; None if it names a tool but has none."""
    named = next((each for each in _objects(value) if isinstance(each.get("name"), str)), None)
    if named is not None:
        candidates = (json_object(named.get(key)) for key in ("arguments", "parameters"))
        return next((found for found in candidates if found is not None), None)
    own = next((each[name] for each in _objects(value) if isinstance(each.get(name), dict)), None)
    return json_object(own) if own is not None else value


def _objects(value: JsonValue) -> list[JsonObject]:
    """An object and those nested in it, outermost first."""
    if not isinstance(value, dict):
        return []
    return [value, *(inner for part in value.values() for inner in _objects(part))]
