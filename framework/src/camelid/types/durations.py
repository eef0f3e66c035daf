"""Durations as Go writes them, and Ollama's `keep_alive` (contract 3.2)."""

import re

from camelid.errors import RequestError
from camelid.types.json import JsonValue

__all__ = ("FOREVER", "parse_duration", "parse_keep_alive")

FOREVER = float("inf")
"""Seconds: never unload."""

_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 2**63 / 1e9
"""Seconds of Go's longest duration, 292 years; more is for ever."""
_TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)")


def parse_duration(text: str) -> float:
    """Seconds in a Go duration such as `1h30m`, `1.5h`, `-1s` or `0`.

    Raises:
        RequestError: with Go's words for what is wrong.
    """
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if rest == "0":
        return 0.0
    if not rest:
        raise RequestError(f'time: invalid duration "{text}"')
    seconds, position = 0.0, 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None:
            raise RequestError(f'time: invalid duration "{text}"')
        number, unit = term.groups()
        if not unit:
            raise RequestError(f'time: missing unit in duration "{text}"')
        if unit not in _UNIT_SECONDS:
            raise RequestError(f'time: unknown unit "{unit}" in duration "{text}"')
        seconds += float(number) * _UNIT_SECONDS[unit]
        position = term.end()
    return sign * seconds


def parse_keep_alive(value: JsonValue) -> float | None:
    """Seconds to keep an idle model loaded; `FOREVER` for negatives; None if the client did not say.

    Raises:
        RequestError: wrong JSON type, or a string that is no duration.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        go_type = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}.get(type(value), "object")
        raise RequestError(f"Unsupported type: '{go_type}'")
    seconds = parse_duration(value) if isinstance(value, str) else float(max(-1, min(value, _LONGEST)))
    return FOREVER if seconds < 0 or seconds >= _LONGEST else seconds
