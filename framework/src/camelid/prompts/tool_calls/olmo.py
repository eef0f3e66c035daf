"""OLMo 3: `<function_calls>` around Python, one call a line."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.prompts.tool_calls.python_calls import python_calls

__all__ = ("OlmoParser",)

_OPEN, _CLOSE = "<function_calls>", "</function_calls>"


class OlmoParser(ToolCallParser):
    """`name(key="value")`, with the constants of Python or of JSON."""

    tags = (_OPEN,)
    markup = (_OPEN, _CLOSE)

    def read_block(self) -> Steps[bool]:
        """Python up to the closing tag, which may be missing at the end."""
        code, _ = yield from self.text.until(_CLOSE)
        return self.offer_all(python_calls(code, self.desk))
