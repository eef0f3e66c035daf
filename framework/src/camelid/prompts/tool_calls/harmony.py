"""gpt-oss: messages in channels. Thoughts, answers and calls are all told apart by headers."""

import re
from typing import ClassVar, Final

from camelid.contracts.answers.json_calls import CallRequest
from camelid.contracts.answers.scanner import Steps
from camelid.prompts.tool_calls.messages import MESSAGE, START, MessagesParser

__all__ = ("HarmonyParser",)

_CHANNEL, _CONSTRAIN, _END = "<|channel|>", "<|constrain|>", "<|end|>"
_RECIPIENT: Final = re.compile(r"\bto=([^\s<]+)")
_CHANNEL_NAME: Final = re.compile(r"<\|channel\|>\s*(\w+)")


class HarmonyParser(MessagesParser):
    """`<|channel|>NAME to=RECIPIENT<|message|>TEXT<|end|>`, again and again.

    The channel `analysis` is thinking, a message to an offered tool is a call, all else is content.
    """

    ends: ClassVar = (_END, "<|call|>", "<|return|>")
    markup = (START, _CHANNEL, _CONSTRAIN, MESSAGE, *ends)
    thoughts = (f"{_CHANNEL}analysis{MESSAGE}", f"{_END}{START}assistant{_CHANNEL}final{MESSAGE}")

    def read_message(self, header: str, written: str = "") -> Steps[str]:
        """By channel and recipient."""
        channel = _CHANNEL_NAME.search(header)
        recipient = _RECIPIENT.search(header)
        write = self.think if channel is not None and channel[1] == "analysis" else self.say
        ends = (START, _CHANNEL, *self.ends)
        if recipient is None:
            return (yield from self.text.copy_until(ends, write))
        body, tag = yield from self.text.until(*ends)
        call = self.desk.call(CallRequest(recipient[1].removeprefix("functions."), (written + body).strip() or {}))
        if call is None:
            write(body)
        else:
            self.call(call)
        return tag
