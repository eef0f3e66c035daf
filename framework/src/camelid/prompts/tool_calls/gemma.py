"""Gemma 3 as its makers prompt it: Python in a fenced block that says `tool_code`."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.prompts.tool_calls.python_calls import python_calls

__all__ = ("GemmaParser",)

_FENCE = "```"


class GemmaParser(ToolCallParser):
    """Calls with constants as arguments."""

    tags = (f"{_FENCE}tool_code",)

    def read_block(self) -> Steps[bool]:
        """Python up to the closing fence, which may be missing at the end."""
        code, _ = yield from self.text.until(_FENCE)
        return self.offer_all(python_calls(code, self.desk))
