"""Python that models write for calls and values, read without running anything."""

import ast
import keyword
import re
from typing import Final

__all__ = ("argument_name", "constant", "parse_python", "python_value")

_MOST: Final = 50_000
"""Characters; longer text is no call."""
_MOST_NESTED: Final = 60
"""Brackets in one another."""
_JSON_WORDS: Final = {"true": True, "false": False, "null": None}
_RESERVED: Final = "_reserved_by_python"
_QUOTED_OR_RESERVED: Final = re.compile(
    rf"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\b({"|".join(keyword.kwlist)})(?=\s*=(?!=))""", re.DOTALL
)
"""Text in quotes, or an argument that Python allows nobody to have, like `from`."""


def parse_python(text: str) -> list[ast.stmt]:
    """The statements in some text, in which lines may end inside quotes, and arguments may be called like keywords.

    Raises:
        ValueError: it is no Python, or more than a model writes for a call.
    """
    if len(text) > _MOST or _nesting(text) > _MOST_NESTED:
        raise ValueError("too long, or too many brackets")
    try:
        return ast.parse(_QUOTED_OR_RESERVED.sub(_readable, text.strip())).body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error


def _readable(found: re.Match[str]) -> str:
    return found[1].replace("\n", "\\n") if found[1] else found[2] + _RESERVED


def _nesting(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def argument_name(parsed: str) -> str:
    """What the model called an argument."""
    return parsed.removesuffix(_RESERVED)


def constant(node: ast.expr) -> object:
    """The value of a literal, in which JSON's words may stand for Python's.

    Raises:
        ValueError: it is none.
    """
    if any(isinstance(inner, ast.Set) for inner in ast.walk(node)):
        raise ValueError("a set, which has no order")
    try:
        return ast.literal_eval(_JsonWords().visit(node))
    except (TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error


def python_value(text: str) -> object:
    """The value of a literal.

    Raises:
        ValueError: the text is none.
    """
    match parse_python(text):
        case [ast.Expr(value)]:
            return constant(value)
    raise ValueError("no expression")


class _JsonWords(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_JSON_WORDS[node.id]) if node.id in _JSON_WORDS else node
