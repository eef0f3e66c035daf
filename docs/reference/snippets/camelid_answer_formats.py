"""A family of models that writes calls as `<do>{"name": ..., "arguments": {...}}</do>` after thinking in `<plan>`."""

from collections.abc import Callable

from camelid import AnswerFormat, Steps, ThinkingTags, ToolCallParser, hookimpl
from camelid.types import Capability

CAMELID_API = 1


class DoCalls(ToolCallParser):
    """Written as if all the text were there; it arrives in pieces, and `yield from` waits for them."""

    tags = ("<do>",)

    def read_block(self) -> Steps[bool]:
        text, end = yield from self.text.until("</do>")
        return bool(end) and self.offer_json(text)


@hookimpl
def camelid_answer_formats(register: Callable[[AnswerFormat], None]) -> None:
    """Chosen for models whose config names the parser `do`, and for those whose template has both markers."""
    register(
        AnswerFormat(
            name="do",
            markers=("<do>", "<plan>"),
            capabilities=frozenset({Capability.TOOLS, Capability.THINKING}),
            thinking=ThinkingTags("<plan>", "</plan>"),
            calls=DoCalls,
        )
    )
