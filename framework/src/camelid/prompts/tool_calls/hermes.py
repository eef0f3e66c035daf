"""Hermes, Qwen 2.5 and 3: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser

__all__ = ("HermesParser",)

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"


class HermesParser(ToolCallParser):
    """JSON between tags; models forget the closing one at times, or put several calls before it."""

    tags = (_OPEN,)
    markup = (_OPEN, _CLOSE)

    def read_block(self) -> Steps[bool]:
        """Objects until something else comes."""
        found = False
        while True:
            yield from self.text.space()
            if not self.offer_json((yield from self.text.json())):
                break
            found = True
            self.text.mark()
        if found:
            return (yield from self.close_block(_CLOSE))
        yield from self.text.until(_CLOSE)
        return False
