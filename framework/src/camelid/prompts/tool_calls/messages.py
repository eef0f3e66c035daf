"""Answers that are messages with headers, one after another."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

from camelid.contracts.answers.parser import ScanningParser
from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolDesk
from camelid.types.messages import Tool

__all__ = ("MESSAGE", "START", "MessagesParser")

START: Final = "<|start|>"
MESSAGE: Final = "<|message|>"
_TO: Final = "to="


class MessagesParser(ScanningParser):
    """`<|start|>HEADER<|message|>TEXT<|end|>`, again and again, the first of which may have begun in the prompt."""

    ends: ClassVar[tuple[str, ...]]
    """Tags that end a message."""

    def __init__(self, tools: Sequence[Tool] = (), prompt: str = "") -> None:
        """Begin.

        Args:
            tools: what the request offers.
            prompt: may end inside a message.
        """
        super().__init__()
        self.desk = ToolDesk(tools)
        begun = prompt.rpartition(START)[2] if START in prompt else ""
        self._begun = "" if any(end in begun for end in self.ends) else begun

    @abstractmethod
    def read_message(self, header: str, written: str = "") -> Steps[str]:
        """Read a message.

        Args:
            header: what stands before its text.
            written: the beginning of the text, if that was in the prompt.

        Returns:
            The tag that ended it; empty at the end of the answer.
        """

    def read(self) -> Steps[None]:
        """Messages, and text outside of them."""
        header, inside, written = self._begun.partition(MESSAGE)
        if inside:
            tag = yield from self.read_message(header, written)
        else:
            # The role is in the prompt: what follows may be the recipient.
            tag = yield from self._read_plain(*((_TO,) if header else ()))
        while tag:
            if tag in self.ends:
                tag = yield from self._read_plain()
                continue
            header = tag
            while tag not in (MESSAGE, *self.ends, ""):
                text, tag = yield from self.text.until(*self.markup)
                header += text + tag
            if tag == MESSAGE:
                tag = yield from self.read_message(header)

    def _read_plain(self, *tags: str) -> Steps[str]:
        """Text outside of messages is content, white space alone is nothing; return the tag that ended it."""
        space = yield from self.text.space()
        tag = yield from self.text.accept(*tags, *self.markup)
        if not tag and (yield from self.text.peek()):
            self.say(space)
            tag = yield from self.text.copy_until(self.markup, self.say)
        return tag
