"""What an answer is held to (contract 3.4)."""

from typing import Literal

import msgspec

__all__ = ("Grammar",)


class Grammar(msgspec.Struct, frozen=True, array_like=True):
    """A language, and where in the answer it begins."""

    kind: Literal["json", "json_schema", "regex", "lark"]
    """`json`: any JSON object."""
    text: str = ""
    """The schema as JSON, the expression, or the Lark grammar; nothing for `json`."""
    thinking: tuple[str, str] | None = None
    """Opening and closing tag of thoughts that may come first, in any words; the opening one is empty if the prompt
    has written it already, and then thoughts must come."""
