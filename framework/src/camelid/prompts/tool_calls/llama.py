"""Llama 3: `{"name": ..., "parameters": {...}}`, alone or after `<|python_tag|>`."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.prompts.tool_calls.python_calls import python_calls

__all__ = ("LlamaParser",)

_PYTHON = "<|python_tag|>"


class LlamaParser(ToolCallParser):
    """Without the tag, an object counts only where nothing but white space came before it."""

    tags = (_PYTHON,)
    markup = tags

    def read(self) -> Steps[None]:
        """An answer that may be a call from its first character."""
        space = yield from self.text.space()
        if (yield from self.text.peek()) == "{":
            yield from self.read_marked(space)
        else:
            self.say(space)
        yield from super().read()

    def read_block(self) -> Steps[bool]:
        """Objects between which there may be semicolons; after the tag also `name.call(key="value")`."""
        if self.tag == _PYTHON:
            yield from self.text.space()
            if (yield from self.text.peek()) != "{":
                calls = python_calls((yield from self.text.rest()), self.desk)
                return self.offer_all(calls)
        found = False
        while self.offer_json((yield from self.text.json())):
            found = True
            self.text.mark()
            yield from self.text.space()
            yield from self.text.accept(";", ",", _PYTHON)
            yield from self.text.space()
        if found:
            ended = not (yield from self.text.peek())
            taken = self.text.marked()
            self.text.put_back("" if ended and taken.strip() in (";", ",") else taken)
        return found
