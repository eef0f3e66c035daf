"""FunctionGemma and Gemma 4: `<start_function_call>call:NAME{key:<escape>text<escape>,number:1}<end_function_call>`."""

import re
from typing import Final

from camelid.contracts.answers.json_calls import parse_json, write_json
from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.types.json import JsonValue

__all__ = ("FunctionGemmaParser", "Gemma4Parser")

_HEAD: Final = re.compile(r"\s*call:\s*([^{\s]+)\s*(\{.*\})\s*", re.DOTALL)
_BARE: Final = re.compile(r"([{,]\s*)([^\s{}\[\],:\"]+)(\s*:)")
"""A key without quotes; those in quoted text are not looked at."""


class FunctionGemmaParser(ToolCallParser):
    """JSON in which keys have no quotes, and texts have others."""

    tags = ("<start_function_call>",)
    close = "<end_function_call>"
    quote = "<escape>"
    results = "<start_function_response>"
    """What the model writes when it waits for the results; not for clients."""
    markup = (*tags, close, quote, results)

    def read_block(self) -> Steps[bool]:
        """One call, up to the closing tag."""
        body, _ = yield from self.text.until(self.close)
        head = _HEAD.fullmatch(body)
        if head is None or not self.offer(head[1], self._object(head[2])):
            return False
        yield from self.text.accept(self.results)
        return True

    def _object(self, text: str) -> JsonValue:
        """The arguments; None if they are not well-formed."""
        parts = text.split(self.quote)
        if len(parts) % 2 == 0:
            return None
        # Outside of quotes and inside in turn.
        pieces = [write_json(part) if place % 2 else _BARE.sub(r'\1"\2"\3', part) for place, part in enumerate(parts)]
        try:
            return parse_json("".join(pieces))
        except ValueError:
            return None


class Gemma4Parser(FunctionGemmaParser):
    """The same in other tags."""

    tags = ("<|tool_call>",)
    close = "<tool_call|>"
    quote = '<|"|>'
    results = "<|tool_response>"
    markup = (*tags, close, quote, results)
