"""JSON as Go writes it into prompts, and the values that print as such (contract 12.1, 12.2)."""

import json
from typing import Final

from camelid.types.json import JsonObject, JsonValue

__all__ = ("JsonDict", "JsonList", "JsonStruct", "TypeNames", "go_json")

_ESCAPES: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
_EXACT_FLOAT: Final = 1e21
"""From here on Go writes floats with an exponent."""


class JsonDict(dict[str, object]):
    """A Go map that prints as JSON."""


class JsonList(list[object]):
    """A Go slice that prints as JSON."""


class TypeNames(list[str]):
    """The types of a tool's property: a single one prints, and is written, as itself."""

    def __str__(self) -> str:
        return self[0] if len(self) == 1 else f"[{' '.join(self)}]"


class JsonStruct:
    """A Go struct: its fields are read by one name and written to JSON by another."""

    __slots__ = ("_fields", "as_json")

    def __init__(self, fields: JsonObject, as_json: JsonObject) -> None:
        """Bind.

        Args:
            fields: what a template sees.
            as_json: what JSON shows, in order; may hold values of the types of this module.
        """
        self._fields = fields
        self.as_json = as_json

    def __gotemplate_lookup__(self, field: str) -> object:
        """What gotpl asks for `.Field`; a KeyError stands for the zero value."""
        return self._fields[field]

    def __str__(self) -> str:
        return go_json(self)


def go_json(value: JsonValue) -> str:
    """JSON without spaces, with HTML's characters escaped, keys in the order they were given."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)


def _plain(value: JsonValue) -> JsonValue:
    match value:
        case JsonStruct():
            return _plain(value.as_json)
        case TypeNames() if len(value) == 1:
            return value[0]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if value.is_integer() and abs(value) < _EXACT_FLOAT:
            return int(value)
        case _:
            return value
