"""GLM 4: `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>value</arg_value></tool_call>`."""

import re
from typing import Final

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser

__all__ = ("GlmParser",)

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_ARGUMENT: Final = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)


class GlmParser(ToolCallParser):
    """Names and values as raw text, typed by the tool's schema."""

    tags = (_OPEN,)
    markup = (_OPEN, _CLOSE, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")

    def read_block(self) -> Steps[bool]:
        """One call."""
        body, end = yield from self.text.until(_CLOSE)
        name = body.partition("<arg_key>")[0].strip()
        texts = {key.strip(): value for key, value in _ARGUMENT.findall(body)}
        return bool(end) and self.offer(name, self.desk.typed(name, texts))
