"""Reading the values that `run` and `/set` take: thinking, format and durations (contract 19.5)."""

import json

from camelid.errors import RequestError
from camelid.types.durations import parse_duration
from camelid.types.json import JsonValue

__all__ = ("LEVELS", "check_duration", "parse_format", "parse_think")

LEVELS = ("high", "medium", "low", "max")
"""How much a model may think."""


def parse_think(text: str) -> bool | str:
    """`true`, `false` or a level; nothing, as in `--think=`, is true.

    Raises:
        RequestError: it is none of these.
    """
    if text in LEVELS:
        return text
    if text in ("", "true", "false"):
        return text != "false"
    raise RequestError(f'invalid value for --think: "{text}" (must be true, false, high, medium, low, or max)')


def parse_format(text: str) -> JsonValue:
    """`json`, or a JSON schema as text.

    Raises:
        RequestError: it is neither.
    """
    if text == "json":
        return text
    try:
        schema: JsonValue = json.loads(text)
    except ValueError as error:
        raise RequestError(f'invalid value for --format: "{text}" (must be json or a JSON schema)') from error
    return schema


def check_duration(text: str) -> str:
    """The text itself, if it is a duration such as `5m`, `1h30m` or `-1s`.

    Raises:
        RequestError: it is not.
    """
    try:
        parse_duration(text)
    except RequestError as error:
        raise RequestError(
            f'invalid value for --keepalive: "{text}" (must be a duration such as 300s, 5m, or -1s for ever)',
            reason=error.message,
        ) from error
    return text
