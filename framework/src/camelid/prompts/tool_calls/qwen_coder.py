"""Qwen 3 Coder and others: `<tool_call><function=NAME><parameter=KEY>value</parameter></function></tool_call>`."""

import re
from typing import Final

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser

__all__ = ("QwenCoderParser",)

_OPENS: Final = ("<tool_call>", "<seed:tool_call>")
_CLOSES: Final = ("</tool_call>", "</seed:tool_call>")
_FUNCTION, _FUNCTION_END = "<function=", "</function>"
_PARAMETER: Final = re.compile(
    r"<parameter=([^>\n]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)",
    re.DOTALL,
)


class QwenCoderParser(ToolCallParser):
    """Elements with raw text in them, typed by the tool's schema. The outer tags may be missing."""

    tags = (*_OPENS, _FUNCTION)
    markup = (*_OPENS, *_CLOSES)

    def read_block(self) -> Steps[bool]:
        """One function, or several."""
        found, tag = False, self.tag
        while True:
            if tag in _OPENS:
                yield from self.text.space()
                tag = yield from self.text.accept(_FUNCTION)
            if not tag:
                break
            body, end = yield from self.text.until(_FUNCTION_END, *_CLOSES)
            if not (end and self._offer(body)):
                break
            found = True
            self.text.mark()
            if end in _CLOSES:
                break
            tag = _OPENS[0]
        if found:
            return (yield from self.close_block(*_CLOSES))
        yield from self.text.space()
        yield from self.text.accept(*_CLOSES)
        return False

    def _offer(self, body: str) -> bool:
        """Tell of `NAME>` and the parameters after it."""
        name, _, parameters = body.partition(">")
        name = name.strip()
        return self.offer(name, self.desk.typed(name, dict(_PARAMETER.findall(parameters))))
