"""Calls that are written as Python: `name(key="value")`."""

import ast

from camelid.contracts.answers.json_calls import CallRequest
from camelid.contracts.answers.python_text import argument_name, constant, parse_python
from camelid.contracts.answers.tool_calls import ToolDesk

__all__ = ("python_calls",)


def python_calls(text: str, desk: ToolDesk) -> tuple[CallRequest, ...]:
    """The calls in some Python; none if it does anything but call tools with constants.

    Arguments without names get those of the tool's schema, in order. A call may stand in `print(...)`, be assigned to
    a name, or be a list's element; of `name.call(...)` only the name counts.
    """
    try:
        found = [call for statement in parse_python(text) for call in _statement_calls(statement)]
        return tuple(_read(call, desk) for call in found)
    except ValueError:
        return ()


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
    arguments = dict(zip(places, map(constant, call.args), strict=False))
    for named in call.keywords:
        if named.arg is None:
            raise ValueError("arguments in a mapping")
        arguments[argument_name(named.arg)] = constant(named.value)
    return CallRequest(name, arguments)


def _name(node: ast.expr) -> str:
    """`name` or `some.name`."""
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError("a function without a name")
