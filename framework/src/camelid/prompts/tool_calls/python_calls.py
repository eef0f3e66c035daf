"""Calls that are written as Python: `name(key="value")`, read without running anything."""

import ast
import keyword
import re
from typing import Final

from camelid.contracts.answers.json_calls import CallRequest
from camelid.contracts.answers.tool_calls import ToolDesk

__all__ = ("python_calls",)

_MOST: Final = 50_000
"""Characters; longer text is no call."""
_MOST_NESTED: Final = 60
"""Brackets in one another."""
_JSON_WORDS: Final = {"true": True, "false": False, "null": None}
_RESERVED: Final = "_reserved_by_python"
_RESERVED_ARGUMENT: Final = re.compile(
    rf"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\b({"|".join(keyword.kwlist)})(?=\s*=(?!=))""", re.DOTALL
)
"""An argument that Python allows nobody to have, like `from`; quoted text is looked over."""


def python_calls(text: str, desk: ToolDesk) -> tuple[CallRequest, ...]:
    """The calls in some Python; none if it does anything but call tools with constants.

    Arguments without names get those of the tool's schema, in order. A call may stand in `print(...)`, be assigned to
    a name, or be a list's element; of `name.call(...)` only the name counts.
    """
    if len(text) > _MOST or _nesting(text) > _MOST_NESTED:
        return ()
    try:
        tree = ast.parse(_RESERVED_ARGUMENT.sub(lambda found: found[1] or found[2] + _RESERVED, text.strip()))
        found = [call for statement in tree.body for call in _statement_calls(statement)]
        return tuple(_read(call, desk) for call in found)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ()


def _nesting(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _statement_calls(statement: ast.stmt) -> list[ast.Call]:
    value = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else statement
    if isinstance(value, ast.Call) and _name(value.func) == "print" and len(value.args) == 1:
        value = value.args[0]
    elements = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
    calls = [element for element in elements if isinstance(element, ast.Call)]
    if len(calls) < len(elements):
        raise ValueError("an expression that is no call")
    return calls


def _read(call: ast.Call, desk: ToolDesk) -> CallRequest:
    name = _name(call.func)
    if name not in desk.names:
        name = name.rpartition(".")[2] if name.rpartition(".")[2] in desk.names else name.partition(".")[0]
    places = tuple(desk.properties(name))
    if len(call.args) > len(places):
        raise ValueError("more arguments than the tool has")
    arguments = dict(zip(places, map(_constant, call.args), strict=False))
    for named in call.keywords:
        if named.arg is None:
            raise ValueError("arguments in a mapping")
        arguments[named.arg.removesuffix(_RESERVED)] = _constant(named.value)
    return CallRequest(name, arguments)


def _constant(node: ast.expr) -> object:
    """The value of a literal, in which JSON's words may stand for Python's."""
    return ast.literal_eval(_JsonWords().visit(node))


class _JsonWords(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_JSON_WORDS[node.id]) if node.id in _JSON_WORDS else node


def _name(node: ast.expr) -> str:
    """`name` or `some.name`."""
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError("a function without a name")
