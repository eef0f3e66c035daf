"""LFM 2: `<|tool_call_start|>[name(key="value")]<|tool_call_end|>`."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.prompts.tool_calls.python_calls import python_calls

__all__ = ("LfmParser",)

_OPEN, _CLOSE = "<|tool_call_start|>", "<|tool_call_end|>"


class LfmParser(ToolCallParser):
    """A list of calls in Python, or in JSON if the prompt asked for that."""

    tags = (_OPEN,)
    markup = (_OPEN, _CLOSE)

    def read_block(self) -> Steps[bool]:
        """The list up to the closing tag, which may be missing at the end."""
        text, _ = yield from self.text.until(_CLOSE)
        return self.offer_all(python_calls(text, self.desk)) or self.offer_json(text)
