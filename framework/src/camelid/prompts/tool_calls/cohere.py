"""Cohere's Command models: thinking, text and actions, each between tags of its own."""

from collections.abc import Sequence

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.types.messages import Tool

__all__ = ("CohereParser",)

_THINKING, _THINKING_END = "<|START_THINKING|>", "<|END_THINKING|>"
_ACTION, _ACTION_END = "<|START_ACTION|>", "<|END_ACTION|>"
_TEXT = ("<|START_TEXT|>", "<|END_TEXT|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>")


class CohereParser(ToolCallParser):
    """An action is an array of `{"tool_call_id": ..., "tool_name": ..., "parameters": {...}}`."""

    tags = (_ACTION,)
    markup = (_THINKING, _THINKING_END, _ACTION, _ACTION_END, *_TEXT)

    def __init__(self, tools: Sequence[Tool] = (), prompt: str = "") -> None:
        """Begin.

        Args:
            tools: what the request offers.
            prompt: may have opened the thinking, or have closed it.
        """
        super().__init__(tools)
        end = prompt.rstrip()
        self._begun = end.endswith(_THINKING)
        if not end.endswith(_THINKING_END):
            self.thoughts = ("" if self._begun else _THINKING, _THINKING_END)

    def read(self) -> Steps[None]:
        """Parts in any order."""
        if self._begun:
            yield from self._read_thoughts()
        while True:
            space = yield from self.text.space()
            tag = yield from self.text.accept(*self.markup)
            if not tag:
                ended = not (yield from self.text.peek())
                self.say("" if ended and self.desk.made else space)
                if ended:
                    return
                space = ""
                tag = yield from self.text.copy_until(self.markup, self.say)
            if tag == _THINKING:
                yield from self._read_thoughts()
            elif tag == _ACTION:
                yield from self.read_marked(tag, space)

    def _read_thoughts(self) -> Steps[None]:
        yield from self.text.space()
        yield from self.text.copy_until((_THINKING_END,), self.think)
        yield from self.text.space()

    def read_block(self) -> Steps[bool]:
        """The array, up to the closing tag."""
        yield from self.text.space()
        if not self.offer_json((yield from self.text.json())):
            yield from self.text.until(_ACTION_END)
            return False
        self.text.mark()
        yield from self.text.space()
        return (yield from self.close_block(_ACTION_END))
