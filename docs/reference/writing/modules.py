"""What modules offer, as Markdown: each public name with its signature as the source has it, and its docstring.

Read from the source, so that attributes keep their docstrings and annotations stand as they were written.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from writing.docstrings import as_markdown

__all__ = ("documented_fields", "module_section")

_Callable: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_SHOWN_DECORATORS: Final = {"abstractmethod", "property", "classmethod", "staticmethod", "contextmanager"}
_LONGEST_VALUE: Final = 200
"""Characters; of a longer constant only the name is shown."""
_WIDTH: Final = 100


def module_section(name: str) -> str:
    """A module with all it exports, in the order of the source."""
    module = importlib.import_module(name)
    tree = ast.parse(inspect.getsource(module))
    exported: Sequence[str] = getattr(module, "__all__", ())
    parts = [f"## {name}", as_markdown(ast.get_docstring(tree) or "")]
    for node, doc in _with_docs(tree.body):
        if getattr(node, "name", _target(node)) in exported:
            parts += _entry(node, doc)
    return "\n\n".join(filter(None, parts))


def documented_fields(definition: ast.ClassDef) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and docstring of each public attribute of a class, in order."""
    constructor = (node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    own = [pair for method in constructor for pair in _with_docs(method.body) if pair[1]]
    for node, doc in [*_with_docs(definition.body), *own]:
        name = _target(node)
        if name and not name.startswith("_"):
            kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            default = node.value if isinstance(node, ast.AnnAssign | ast.Assign) and node in definition.body else None
            yield name, kind, ast.unparse(default) if default else "", " ".join(doc.split())


def _with_docs(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Each statement, with the text that stands below it."""
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        yield node, text if isinstance(text, str) else ""


def _target(node: ast.stmt) -> str:
    """The name that an assignment gives, also as an attribute of `self`; empty if it is none of one name."""
    targets: list[ast.expr] = node.targets if isinstance(node, ast.Assign) else []
    target = node.target if isinstance(node, ast.AnnAssign) else targets[0] if len(targets) == 1 else None
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _entry(node: ast.stmt, doc: str) -> Iterator[str]:
    """A class, a function or a constant."""
    if isinstance(node, ast.ClassDef):
        yield from _class(node)
    elif isinstance(node, _Callable):
        yield from (f"### {node.name}", _signature(node), as_markdown(ast.get_docstring(node) or ""))
    else:
        source = ast.unparse(node)
        short = source if len(source) <= _LONGEST_VALUE else f"{_target(node)} = ..."
        yield from (f"### {_target(node)}", f"```python\n{short}\n```", as_markdown(doc))


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = [ast.unparse(base) for base in [*node.bases, *node.keywords]]
    head = _wrapped(f"class {node.name}(", bases, ")") if bases else f"class {node.name}"
    yield from (f"### {node.name}", f"```python\n{head}\n```", as_markdown(ast.get_docstring(node) or ""))
    fields = [
        f"- `{name}{': ' if kind else ''}{kind}{' = ' if default else ''}{default}`{': ' if doc else ''}{doc}"
        for name, kind, default, doc in documented_fields(node)
    ]
    yield "\n".join(fields)
    for method in node.body:
        if isinstance(method, _Callable) and (method.name == "__init__" or not method.name.startswith("_")):
            doc = ast.get_docstring(method) or ""
            yield from (f"#### {node.name}.{method.name}", _signature(method), as_markdown(doc))


def _signature(node: _Callable) -> str:
    """The lines before a function's body."""
    decorators = [f"@{text}\n" for text in map(ast.unparse, node.decorator_list) if text in _SHOWN_DECORATORS]
    start = f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}def {node.name}("
    end = f") -> {ast.unparse(node.returns)}" if node.returns else ")"
    return f"```python\n{''.join(decorators)}{_wrapped(start, list(_arguments(node.args)), end)}\n```"


def _wrapped(start: str, parts: Sequence[str], end: str) -> str:
    """Source in one line, or with a line for each part where that would be long."""
    line = start + ", ".join(parts) + end
    return line if len(line) <= _WIDTH else start + "".join(f"\n    {part}," for part in parts) + "\n" + end


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Each parameter as it stands in the signature."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    for place, each in enumerate(positional):
        yield _argument(each, arguments.defaults[place - missing] if place >= missing else None)
    if arguments.vararg or arguments.kwonlyargs:
        yield f"*{ast.unparse(arguments.vararg) if arguments.vararg else ''}"
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(each, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _argument(each: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(each) if default is None else f"{ast.unparse(each)} = {ast.unparse(default)}"
