"""Request values that have a syntax of their own (contract 3.3)."""

from camelid.errors import RequestError
from camelid.types.json import JsonValue

__all__ = ("parse_think",)

_LEVELS = ("high", "medium", "low", "max")


def parse_think(value: JsonValue) -> bool | str | None:
    """`think` of a request; None = automatic.

    Raises:
        RequestError: neither a boolean nor a level.
    """
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise RequestError('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if value not in _LEVELS:
        raise RequestError(f'invalid think value: "{value}" (must be "high", "medium", "low", "max", true, or false)')
    return value
