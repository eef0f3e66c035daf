"""Muse Glimmer: messages to oneself are thoughts, those to tools hold `<atem:invoke name="NAME">` elements."""

import re
from typing import ClassVar, Final

from camelid.contracts.answers.json_calls import CallRequest
from camelid.contracts.answers.scanner import Steps
from camelid.prompts.tool_calls.messages import MESSAGE, START, MessagesParser

__all__ = ("GlimmerParser",)

_CALLS, _CALLS_END = "<atem:function_calls>", "</atem:function_calls>"
_EOM, _EOT = "<|eom|>", "<|eot|>"
_RECIPIENT: Final = re.compile(r"\bto=([^\s<]+)")
_INVOKE: Final = re.compile(r'\s*<atem:invoke name="([^"]*)">(.*?)</atem:invoke>\s*', re.DOTALL)
_PARAMETER: Final = re.compile(r'<atem:parameter name="([^"]*)"[^>]*>(.*?)</atem:parameter>', re.DOTALL)


class GlimmerParser(MessagesParser):
    """`<|start|>assistant to=RECIPIENT<|message|>TEXT<|eom|>`; values are raw text, typed by the tool's schema."""

    ends: ClassVar = (_EOM, _EOT)
    markup = (START, MESSAGE, *ends)
    thoughts = (f" to=self{MESSAGE}", f"{_EOM}{START}assistant to=user{MESSAGE}")

    def read_message(self, header: str, written: str = "") -> Steps[str]:  # noqa: ARG002 - a call is never half in it
        """By recipient: to oneself thoughts, to anybody else content in which there may be calls."""
        recipient = _RECIPIENT.search(header)
        ends = (START, *self.ends)
        if recipient is not None and recipient[1] == "self":
            return (yield from self.text.copy_until(ends, self.think))
        while True:
            tag = yield from self.text.copy_until((_CALLS, *ends), self.say)
            if tag != _CALLS:
                return tag
            body, tag = yield from self.text.until(_CALLS_END, *ends)
            calls = self.desk.calls(self._invocations(body))
            for call in calls:
                self.call(call)
            if not calls:
                self.say(_CALLS + body + (tag if tag == _CALLS_END else ""))
            elif tag == _CALLS_END:
                yield from self.text.space()
            if tag != _CALLS_END:
                return tag

    def _invocations(self, body: str) -> list[CallRequest]:
        """The calls in a block; none if there is anything else."""
        if _INVOKE.sub("", body):
            return []
        return [
            CallRequest(name, self.desk.typed(name, dict(_PARAMETER.findall(parameters))))
            for name, parameters in _INVOKE.findall(body)
        ]
