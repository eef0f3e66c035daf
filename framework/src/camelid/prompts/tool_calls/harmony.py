"""gpt-oss: messages in channels. Thoughts, answers and calls are all told apart by headers."""

import re
from collections.abc import Sequence
from typing import Final

from camelid.prompts.output import ScanningParser
from camelid.prompts.scanner import Steps
from camelid.prompts.tool_calls.family import ToolDesk
from camelid.prompts.tool_calls.json_calls import CallRequest
from camelid.types.messages import Tool

__all__ = ("HarmonyParser",)

_START, _CHANNEL, _CONSTRAIN, _MESSAGE = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>"
_ENDS: Final = ("<|end|>", "<|call|>", "<|return|>")
_TO = "to="
_RECIPIENT: Final = re.compile(r"\bto=([^\s<]+)")
_CHANNEL_NAME: Final = re.compile(r"<\|channel\|>\s*(\w+)")


class HarmonyParser(ScanningParser):
    """`<|channel|>NAME to=RECIPIENT<|message|>TEXT<|end|>`, again and again.

    The channel `analysis` is thinking, a message to an offered tool is a call, all else is content.
    """

    markup = (_START, _CHANNEL, _CONSTRAIN, _MESSAGE, *_ENDS)

    def __init__(self, tools: Sequence[Tool] = (), prompt: str = "") -> None:
        """Begin.

        Args:
            tools: what the request offers.
            prompt: may end inside a message.
        """
        super().__init__()
        self._desk = ToolDesk(tools)
        begun = prompt.rpartition(_START)[2] if _START in prompt else ""
        self._begun = "" if any(end in begun for end in _ENDS) else begun

    def read(self) -> Steps[None]:
        """Messages, the first of which may have begun in the prompt."""
        header, inside, written = self._begun.partition(_MESSAGE)
        if inside:
            tag = yield from self._read_message(header, written)
        else:
            # The role is in the prompt: what follows may be the recipient.
            tag = yield from self._read_plain(*((_TO,) if header else ()))
        while tag:
            if tag in _ENDS:
                tag = yield from self._read_plain()
                continue
            header = tag
            while tag not in (_MESSAGE, *_ENDS, ""):
                text, tag = yield from self.text.until(*self.markup)
                header += text + tag
            if tag == _MESSAGE:
                tag = yield from self._read_message(header)

    def _read_plain(self, *tags: str) -> Steps[str]:
        """Text outside of messages is content, white space alone is nothing; return the tag that ended it."""
        space = yield from self.text.space()
        tag = yield from self.text.accept(*tags, *self.markup)
        if not tag and (yield from self.text.peek()):
            self.say(space)
            tag = yield from self.text.copy_until(self.markup, self.say)
        return tag

    def _read_message(self, header: str, written: str = "") -> Steps[str]:
        """Read a message of which the prompt may have written a part; return the tag that ended it."""
        channel = _CHANNEL_NAME.search(header)
        recipient = _RECIPIENT.search(header)
        write = self.think if channel is not None and channel[1] == "analysis" else self.say
        ends = (_START, _CHANNEL, *_ENDS)
        if recipient is None:
            return (yield from self.text.copy_until(ends, write))
        body, tag = yield from self.text.until(*ends)
        call = self._desk.call(CallRequest(recipient[1].removeprefix("functions."), (written + body).strip() or {}))
        if call is None:
            write(body)
        else:
            self.call(call)
        return tag
