"""What operators, methods, filters and tests of hostile Jinja may do: each pays for the text it makes."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import GeneratorType
from typing import Final, TypeAlias, cast

from jinja2 import pass_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context, Macro
from jinja2.tests import TESTS as JINJA_TESTS

from camelid.prompts.budget import BudgetExceededError, current_budget

__all__ = ("FILTERS", "FORBIDDEN_METHODS", "OPERATORS", "TESTS", "guard_call", "guard_result")

_Callable: TypeAlias = Callable[..., object]

FORBIDDEN_METHODS: Final = frozenset({"encode", "format_map", "fromkeys", "maketrans", "to_bytes", "translate"})
"""Make large things out of small ones, and no chat template needs them."""

_ELEMENT: Final = 64
"""What one place in a new list costs, in characters."""
_WORD: Final = 8
"""The same for each character of a text that is cut into words or lines, whose number is not known before."""
_MAX_BITS: Final = 4096
_MAX_NUMBER: Final = 10_000
"""Widths, precisions and counts beyond it are no prompt's."""
_MAX_STRIPPED: Final = 1000
_MAX_PATTERN: Final = 1000
"""Characters of a format string, which is searched for widths several times over."""
_PERCENT_SPEC: Final = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?")
_BRACE_SPEC: Final = re.compile(r":[^{}]*?(\d+)|:[^{}]*(\{)")


def _multiply(left: object, right: object) -> object:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _MAX_BITS:
            raise BudgetExceededError(f"a number of more than {_MAX_BITS} bits")
    elif isinstance(right, int) and isinstance(left, (str, list, tuple)):
        _spend_items(left, right)
    elif isinstance(left, int) and isinstance(right, (str, list, tuple)):
        _spend_items(right, left)
    return left * right  # type: ignore[operator]


def _spend_items(items: str | list[object] | tuple[object, ...], times: int) -> None:
    current_budget().spend(max(times, 0) * len(items) * (1 if isinstance(items, str) else _ELEMENT))


def _add(left: object, right: object) -> object:
    for side in (left, right):
        if isinstance(side, (str, list, tuple)):
            _spend_items(side, 1)
    return left + right  # type: ignore[operator]


def _power(left: object, right: object) -> object:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > _MAX_BITS:
        raise BudgetExceededError(f"a number of more than {_MAX_BITS} bits")
    return left**right  # type: ignore[operator]


def _remainder(left: object, right: object) -> object:
    if isinstance(left, str):
        _spend_pattern(left, _PERCENT_SPEC, left.count("%"), right)
    return left % right  # type: ignore[operator]


def _spend_pattern(pattern: str, specs: re.Pattern[str], places: int, values: object) -> None:
    """Pay for `values` written into each of the `places` of a format string."""
    if len(pattern) > _MAX_PATTERN:
        raise BudgetExceededError(f"a format of more than {_MAX_PATTERN} characters")
    for width in (width for spec in specs.finditer(pattern) for width in spec.groups()):
        if width and (not width.isdigit() or len(width) > len(str(_MAX_NUMBER))):
            raise BudgetExceededError(f"the width {width!r} in a format")
    current_budget().spend(len(pattern))
    current_budget().spend_written(values, places)


OPERATORS: Final[Mapping[str, Callable[[object, object], object]]] = {
    "+": _add,
    "*": _multiply,
    "**": _power,
    "%": _remainder,
}
"""Binary operators whose result may be larger than their operands."""


def guard_call(function: object, arguments: tuple[object, ...], named: Mapping[str, object]) -> tuple[object, ...]:
    """Pay for what a call will make.

    Args:
        function: what a template calls; methods of texts are paid for by what they do.
        arguments: as the template gave them.
        named: as the template gave them.

    Returns:
        The arguments, those that can be read only once read into lists.

    Raises:
        BudgetExceededError: it would be too much.
    """
    if isinstance(function, Macro):
        return arguments  # what it does with them is paid for inside
    budget = current_budget()
    method = getattr(function, "__wrapped__", function)
    # Not only of built-in texts: the methods of `Markup`, which `safe` and `escape` make, are plain Python.
    owner = getattr(method, "__self__", None)
    for value in (owner, *arguments, *named.values()):
        budget.check_weight(value)
    if isinstance(owner, str):
        return _guard_text_method(owner, str(getattr(method, "__name__", "")), arguments, named)
    return arguments


def _guard_text_method(
    text: str, method: str, arguments: tuple[object, ...], named: Mapping[str, object]
) -> tuple[object, ...]:
    budget = current_budget()
    match method, arguments:
        case (("center" | "ljust" | "rjust" | "zfill"), (int(width), *_)):
            budget.spend(max(width, 0))
        case "expandtabs", _:
            sizes = (size for size in (*arguments, *named.values(), 8) if isinstance(size, int))
            budget.spend(text.count("\t") * max(sizes))
        case (("strip" | "lstrip" | "rstrip"), (str(characters), *_)) if len(characters) > _MAX_STRIPPED:
            raise BudgetExceededError(f"more than {_MAX_STRIPPED} characters to strip")
        case (("split" | "rsplit"), (str(separator), *_)) if separator:
            budget.spend(_ELEMENT * text.count(separator))
        case (("split" | "rsplit" | "splitlines"), _):
            budget.spend(_WORD * len(text))
        case "replace", (str(old), str(new), *_):
            budget.spend(len(text) + text.count(old) * len(new))
        case "join", (Iterable() as parts, *rest) if not isinstance(parts, str):
            listed = list(_stepping(parts))
            budget.spend_written(listed)
            budget.spend(len(text) * len(listed))
            return (listed, *rest)
        case "join", (str(parts), *_):
            budget.spend((len(text) + 1) * len(parts))
        case "format", _:
            _spend_pattern(text, _BRACE_SPEC, text.count("{"), (arguments, named))
        case _:
            pass
    return arguments


def guard_result(result: object) -> object:
    """Pay for what a call or a filter made; make what it makes piece by piece report each piece."""
    if isinstance(result, str):
        current_budget().spend(len(result))
    elif isinstance(result, (list, tuple, dict)):
        current_budget().spend(_ELEMENT * len(result))
    elif isinstance(result, GeneratorType):
        return _stepping(result)
    return result


def _stepping(items: Iterable[object]) -> Iterator[object]:
    budget = current_budget()
    for item in items:
        budget.step()
        yield item


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as Hugging Face writes it: no HTML escapes, non-ASCII text as it is."""
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys, check_circular=False
    )
    if indent is None and separators is None:
        return encoder.encode(value)
    pieces = []
    for piece in encoder.iterencode(value):  # the layout may be far longer than what it lays out
        current_budget().spend(len(piece))
        pieces.append(piece)
    return "".join(pieces)


def _format(value: object, *arguments: object, **named: object) -> object:
    return _remainder(str(value), named or arguments)


def _guard_replace(text: object, old: object = "", new: object = "", *_: object, **named: object) -> None:
    written, old, new = str(text), str(named.get("old", old)), str(named.get("new", new))
    current_budget().spend(len(written) + written.count(old) * len(new))


def _guard_join(items: object, separator: object = "", *_: object, **named: object) -> None:
    if isinstance(items, (list, tuple, str)):
        current_budget().spend(len(items) * len(str(named.get("d", separator))))


def _guard_indent(text: object, width: object = 4, *_: object, **named: object) -> None:
    width = named.get("width", width)
    size = len(width) if isinstance(width, str) else width
    if isinstance(size, int):
        current_budget().spend((str(text).count("\n") + 1) * max(size, 0))


def _guard_trim(_text: object, characters: object = None, **named: object) -> None:
    characters = named.get("chars", characters)
    if isinstance(characters, str) and len(characters) > _MAX_STRIPPED:
        raise BudgetExceededError(f"more than {_MAX_STRIPPED} characters to strip")


_GUARDS: Final[Mapping[str, Callable[..., None]]] = {
    "indent": _guard_indent,
    "join": _guard_join,
    "replace": _guard_replace,
    "trim": _guard_trim,
}
_WRITING: Final = frozenset(
    {
        *("capitalize", "e", "escape", "indent", "join", "lower", "replace", "safe", "string", "title", "tojson"),
        *("trim", "upper", "urlencode", "wordcount"),
    }
)
"""Turn any value into text."""
_COMPARING: Final = frozenset({"dictsort", "groupby", "max", "min", "sort", "unique"})
_PIECEWISE: Final = frozenset({"join", "list", "map", "reject", "rejectattr", "select", "selectattr"})
_LISTING: Final = frozenset({"list", "sort"})
_HARMLESS: Final = frozenset(
    {"abs", "attr", "count", "d", "default", "first", "float", "int", "items", "last", "length", "reverse", "round"}
)


def _guarded(name: str, function: _Callable) -> _Callable:
    """`function` as a filter that counts a step, refuses absurd numbers and pays for its result."""
    kind = next((kind for kind in ("context", "eval_context", "environment") if _passes(function, kind)), "")
    check = _GUARDS.get(name)

    @pass_context
    def filtered(context: Context, value: object, *arguments: object, **named: object) -> object:
        budget = current_budget()
        budget.step()
        for argument in (*arguments, *named.values()):
            if isinstance(argument, int) and abs(argument) > _MAX_NUMBER and name not in {"d", "default"}:
                raise BudgetExceededError(f"the number {argument} for the filter {name}")
            budget.check_weight(argument)
        if name in _PIECEWISE and isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
            value = _stepping(value) if name != "join" else list(_stepping(value))
        if name in _COMPARING:
            budget.check_weight(value)
        if name in _WRITING and not isinstance(value, str):
            budget.spend_written(value)
        if name in _LISTING and isinstance(value, str):
            budget.spend(_ELEMENT * len(value))
        if check is not None:
            check(value, *arguments, **named)
        first = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
        front = (first[kind],) if kind else ()
        return guard_result(function(*front, value, *arguments, **named))

    return filtered


def _passes(function: _Callable, kind: str) -> bool:
    """Whether Jinja gives `function` its context, evaluation context or environment first."""
    marked = getattr(function, "jinja_pass_arg", None)
    return marked is not None and marked.name == kind


FILTERS: Final[Mapping[str, _Callable]] = {
    **{
        name: _guarded(name, JINJA_FILTERS[name])
        for name in (_WRITING | _COMPARING | _PIECEWISE | _HARMLESS) - {"tojson"}
    },
    "tojson": _guarded("tojson", _tojson),
    "format": _guarded("format", _format),
}
"""The filters that chat templates may use."""


def _comparing(test: _Callable) -> _Callable:
    """`test` for values that do not take for ever to compare."""

    def tested(value: object, *arguments: object) -> object:
        budget = current_budget()
        budget.step()
        for operand in (value, *arguments):
            budget.check_weight(operand)
        return test(value, *arguments)

    return tested


_COMPARISONS: Final = frozenset(
    {
        *("==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", ">=", "ge"),
        *("<", "lt", "lessthan", "<=", "le", "in"),
    }
)
TESTS: Final[Mapping[str, _Callable]] = {
    name: _comparing(test) if name in _COMPARISONS else test
    for name, test in cast("Mapping[str, _Callable]", JINJA_TESTS).items()
}
"""Jinja's tests."""
