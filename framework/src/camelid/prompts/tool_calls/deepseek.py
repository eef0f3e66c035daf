"""DeepSeek V3, R1 and V3.1: calls in tags with wide bars, a separator between name and arguments."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser

__all__ = ("DeepSeekParser",)

_CALLS, _CALLS_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"  # noqa: RUF001 - as the models write them
_CALL, _CALL_END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"  # noqa: RUF001
_SEPARATOR = "<｜tool▁sep｜>"  # noqa: RUF001


class DeepSeekParser(ToolCallParser):
    """`function SEPARATOR name`, then JSON in a fence; or, since V3.1, `name SEPARATOR` and bare JSON."""

    tags = (_CALLS, _CALL)
    markup = (_CALLS, _CALLS_END, _CALL, _CALL_END, _SEPARATOR)

    def read_block(self) -> Steps[bool]:
        """Calls one after another."""
        found, tag = False, self.tag
        while True:
            if tag == _CALLS:
                yield from self.text.space()
                tag = yield from self.text.accept(_CALL)
            if tag != _CALL:
                break
            body, end = yield from self.text.until(_CALL_END)
            if self._offer(body):
                found = True
            elif found:
                self.say(_CALL + body + end)
            else:
                return False
            self.text.mark()
            tag = _CALLS
        yield from self.text.accept(_CALLS_END)
        return found

    def _offer(self, body: str) -> bool:
        """Tell of a call: where the name stands shows which form it is."""
        head, separator, rest = body.partition(_SEPARATOR)
        name, brace, arguments = rest.partition("{")
        if not (separator and brace):
            return False
        name = name.strip().removesuffix("```json").strip() or head.strip()
        return self.offer(name, brace + arguments.strip().removesuffix("```"))
