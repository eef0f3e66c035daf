"""Calls that are written as JSON: `{"name": ..., "arguments": {...}}` and its relatives."""

import json

import msgspec

from camelid.types.json import JsonObject, JsonValue

__all__ = ("CallRequest", "json_object", "json_value", "parse_calls", "parse_json", "write_json")

_NAMES = ("name", "tool_name")
_ARGUMENTS = ("arguments", "parameters")


class CallRequest(msgspec.Struct, frozen=True):
    """A call as the model wrote it: neither name nor arguments are checked."""

    name: str
    arguments: object


def parse_json(text: str) -> JsonValue:
    """The value of JSON text, in which strings may contain line ends.

    Raises:
        ValueError: it is none.
    """
    try:
        return json.loads(text, strict=False)
    except RecursionError as error:
        raise ValueError("too many brackets") from error


def json_object(value: object) -> JsonObject | None:
    """`value` as an object that can be written as JSON; text may hold one; None if it is none."""
    try:
        plain = json_value(parse_json(value) if isinstance(value, str) else value)
    except ValueError:
        return None
    return plain if isinstance(plain, dict) else None


def json_value(value: object) -> JsonValue:
    """`value` as it is after having been JSON: what Python literals or lone surrogates brought in is gone.

    Raises:
        ValueError: it cannot be written as JSON.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def write_json(value: object) -> str:
    """JSON text of what was parsed."""
    return json.dumps(value, ensure_ascii=False)


def parse_calls(text: str) -> list[tuple[JsonValue, CallRequest | None]]:
    """The values in a JSON array, or the only one, each with the call that it describes."""
    try:
        value = parse_json(text)
    except ValueError:
        return []
    return [(item, _call(item)) for item in (value if isinstance(value, list) else [value])]


def _call(value: JsonValue) -> CallRequest | None:
    """The call in an object with a name; one without arguments has empty ones."""
    if not isinstance(value, dict):
        return None
    function = value.get("function")
    if isinstance(function, dict):
        return _call(function)
    name = next((value[key] for key in _NAMES if key in value), function)
    arguments: object = next((value[key] for key in _ARGUMENTS if value.get(key) is not None), {})
    return CallRequest(name, arguments) if isinstance(name, str) else None
