"""Reading the values that `run` and `/set` take: thinking, format, durations, parameters (contract 19.5)."""

import json

import msgspec

from camelid.errors import RequestError
from camelid.types.durations import parse_duration
from camelid.types.json import JsonObject, JsonValue
from camelid.types.options import Options, SamplingOptions, parse_options

__all__ = ("LEVELS", "check_duration", "parse_format", "parse_parameter", "parse_think")

LEVELS = ("high", "medium", "low", "max")
"""How much a model may think."""
_PARAMETERS = {field.name for struct in (SamplingOptions, Options) for field in msgspec.structs.fields(struct)} - {
    "sampling"
}


def parse_think(text: str) -> bool | str:
    """`true`, `false` or a level.

    Raises:
        RequestError: it is none of these.
    """
    if text in LEVELS:
        return text
    if text in ("true", "false"):
        return text == "true"
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
    parse_duration(text)
    return text


def parse_parameter(name: str, values: list[str]) -> JsonObject:
    """One model parameter, as words of a command line, as an entry of `options`.

    Raises:
        RequestError: there is no such parameter, or the value has the wrong type.
    """
    if name not in _PARAMETERS:
        raise RequestError(f"unknown parameter '{name}'")
    if not values:
        raise RequestError(f"the parameter '{name}' needs a value")
    option: JsonObject = {name: values if name == "stop" else _plain(" ".join(values))}
    parse_options(option)
    return option


def _plain(text: str) -> JsonValue:
    """A number, true, false or an object where the text is one in JSON; otherwise the text."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value
