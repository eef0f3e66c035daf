"""JSON that Camelid passes on without looking inside: tool arguments, schemas, backend options."""

from typing import TypeAlias

__all__ = ("JsonObject", "JsonValue")

JsonValue: TypeAlias = object
"""None, bool, int, float, str, or a list or dict of these. `object`, so that nobody may use it unchecked."""

JsonObject: TypeAlias = dict[str, JsonValue]
"""A JSON object in the order its keys were written."""
