"""Docstrings as Markdown."""

import re
import textwrap
from collections.abc import Iterator
from typing import Final

__all__ = ("as_markdown",)

_LITERAL: Final = re.compile(r"(?<=::\n\n)(?:    .*\n|\n)+", re.MULTILINE)
_SECTION: Final = re.compile(r"(Args|Returns|Raises|Yields|Runs in):(?: |\n)")
_ITEM: Final = re.compile(r"(\w+): ")


def as_markdown(docstring: str) -> str:
    """A docstring whose sections are Google's and whose literal text stands after `::`."""
    text = _LITERAL.sub(_fenced, docstring.strip() + "\n")
    text = re.sub(r"^::\n\n|:(?=:$)", "", text, flags=re.MULTILINE)
    return "\n\n".join(_paragraphs(text.strip()))


def _fenced(literal: re.Match[str]) -> str:
    return f"```text\n{textwrap.dedent(literal[0]).strip()}\n```\n\n"


def _paragraphs(text: str) -> Iterator[str]:
    for block in re.split(r"\n\n(?=\S)", text):
        section = _SECTION.match(block)
        if section is None:
            yield block
            continue
        items = re.split(r"\n(?! )", textwrap.dedent(block[section.end() :]))
        if all(map(_ITEM.match, items)):
            yield f"**{section[1]}:**"
            yield "\n".join("- " + _ITEM.sub(r"`\1`: ", _flat(item), count=1) for item in items)
        else:
            yield f"**{section[1]}:** {_flat(block[section.end() :])}"


def _flat(text: str) -> str:
    return " ".join(text.split())
