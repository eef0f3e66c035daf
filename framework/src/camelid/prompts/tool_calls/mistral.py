"""Mistral: `[TOOL_CALLS] [{"name": ..., "arguments": {...}}]`, or `[TOOL_CALLS]name[ARGS]{...}` for each call."""

from camelid.contracts.answers.scanner import Steps
from camelid.contracts.answers.tool_calls import ToolCallParser

__all__ = ("MistralParser",)

_CALLS, _ARGUMENTS, _ID = "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"


class MistralParser(ToolCallParser):
    """The form with a name may leave `[ARGS]` out, and may carry an id, which is not kept."""

    tags = (_CALLS,)
    markup = (_CALLS, _ARGUMENTS, _ID)

    def read_block(self) -> Steps[bool]:
        """An array, an object, or a name and its arguments."""
        yield from self.text.space()
        if (yield from self.text.peek()) in ("[", "{"):
            return self.offer_json((yield from self.text.json()))
        head = yield from self.text.before("{\n")
        name = head.partition(_ARGUMENTS)[0].partition(_ID)[0].strip()
        arguments = yield from self.text.json()
        return bool(arguments) and self.offer(name, arguments)
