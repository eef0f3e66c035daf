"""What Go templates may call: Ollama's functions, and Go's printing ones within a budget (contract 12.1)."""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote_plus

from gotpl.runtime.gofmt import sprintf
from gotpl.runtime.values import INVALID, UNTYPED_NIL

from camelid.prompts.budget import BudgetExceededError, current_budget
from camelid.prompts.go_json import JsonDict, JsonList, TypeNames, go_json
from camelid.prompts.go_source import NOTHING, STEP, TEXT
from camelid.prompts.go_values import typescript_type

__all__ = ("FUNCTIONS",)

_WIDTHS: Final = re.compile(r"%[^a-zA-Z%]*")
_WIDE: Final = re.compile(r"\d{5}")


def _json(value: object) -> str:
    if value is UNTYPED_NIL or value is INVALID:
        return "null"
    current_budget().spend_written(value)
    return go_json(value)


def _current_date(*_: object) -> str:
    return date.today().isoformat()  # noqa: DTZ011 - the day where the server stands


def _yesterday_date(*_: object) -> str:
    return (date.today() - timedelta(days=1)).isoformat()  # noqa: DTZ011


def _step(*values: object) -> object:
    """Passes on its value; gotpl gives none for what Go calls an invalid value."""
    budget = current_budget()
    budget.step()
    value = values[-1] if values else None
    if isinstance(value, str):
        budget.spend(len(value))
    return value


def _text(*values: object) -> object:
    """The value as it is to be printed: gotpl does it, but for what prints as JSON."""
    value = _step(*values)
    if isinstance(value, (JsonDict, JsonList)):
        return _json(value)
    if isinstance(value, TypeNames):
        return str(value)
    if not isinstance(value, str):
        current_budget().spend_written(value)
    return value


def _nothing() -> None:
    current_budget().step()


def _printf(pattern: str, *values: object) -> str:
    budget = current_budget()
    budget.spend(len(pattern))
    budget.spend_written(values, pattern.count("%"))
    for directive in _WIDTHS.findall(pattern):
        if "*" in directive or _WIDE.search(directive):
            raise BudgetExceededError("a width in a format")
    return sprintf(pattern, *map(_text, values))


def _print(*values: object) -> str:
    """Go's `print`: spaces only between two values of which neither is a string."""
    written = ""
    for index, value in enumerate(values):
        spaced = index and not isinstance(value, str) and not isinstance(values[index - 1], str)
        written += f"{' ' if spaced else ''}{_printf('%v', value)}"
    return written


def _println(*values: object) -> str:
    return " ".join(_printf("%v", value) for value in values) + "\n"


_HTML: Final = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_JS: Final = str.maketrans(
    {
        **{character: f"\\u{ord(character):04X}" for character in (*map(chr, range(32)), *"<>&=\u2028\u2029")},
        **{character: f"\\{character}" for character in "\\'\""},
    }
)
_MOST_ESCAPED: Final = 6


def _escaped(escape: Callable[[str], str]) -> Callable[..., str]:
    """One of Go's escaping functions, paid for before it writes."""

    def escaping(*values: object) -> str:
        text = _print(*values)
        current_budget().spend(_MOST_ESCAPED * len(text))
        return escape(text)

    return escaping


FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "json": _json,
    "currentDate": _current_date,
    "yesterdayDate": _yesterday_date,
    "toTypeScriptType": typescript_type,
    "html": _escaped(lambda text: text.translate(_HTML)),
    "js": _escaped(lambda text: text.translate(_JS)),
    "urlquery": _escaped(lambda text: quote_plus(text, safe="")),
    "print": _print,
    "printf": _printf,
    "println": _println,
    STEP: _step,
    TEXT: _text,
    NOTHING: _nothing,
}
"""By the names templates use."""
