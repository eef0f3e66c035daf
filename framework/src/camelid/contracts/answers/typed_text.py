"""Arguments that models write without quotes: what the tool's schema says decides what they are."""

from camelid.contracts.answers.json_calls import json_value, parse_json
from camelid.contracts.answers.python_text import python_value
from camelid.types.json import JsonValue

__all__ = ("typed",)


def typed(text: str, schema: JsonValue) -> JsonValue:
    """The value that `text` stands for; itself unless the schema allows another type that it can be read as.

    Values are JSON, or Python: there are templates that write them so.
    """
    allowed = _types(schema)
    if not allowed - {"string"}:
        return text
    word = text.strip()
    try:
        value = parse_json(word)
    except ValueError:
        try:
            value = json_value(python_value(word))
        except ValueError:
            return text
    return value if _type_names(value) & allowed else text


def _types(schema: JsonValue) -> set[str]:
    """The types that a schema allows, as far as it says."""
    if not isinstance(schema, dict):
        return set()
    kind, alternatives = schema.get("type"), schema.get("anyOf")
    names = kind if isinstance(kind, list) else [kind]
    found = {name for name in names if isinstance(name, str) and name}
    return found.union(*map(_types, alternatives)) if isinstance(alternatives, list) else found


def _type_names(value: JsonValue) -> set[str]:
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int):
        return {"integer", "number"}
    if isinstance(value, float):
        return {"number", "integer"} if value.is_integer() else {"number"}
    return {"string"} if isinstance(value, str) else {"array" if isinstance(value, list) else "object"}
