"""`format`: what an answer is held to (contract 3.4)."""

import json
from typing import Final

import msgspec

from camelid.contracts.answers.parser import OutputParser
from camelid.errors import InvalidOptionError, RequestError
from camelid.types.grammar import Grammar
from camelid.types.json import JsonValue

__all__ = ("answer_grammar", "check_format")

_LARGEST: Final = 1_000_000
"""Bytes of a schema; more than anybody writes, and little enough to be read between two tokens."""
_NAMED_SCHEMAS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value has a schema under each name."""
_VALUES: Final = frozenset({"enum", "const", "default", "examples"})
"""Keywords whose value is data, whatever it looks like."""


def check_format(value: JsonValue) -> None:
    """Look at the shape of `format`; what is in a schema is for the model's worker to judge.

    Raises:
        InvalidOptionError: it is no format at all.
        RequestError: the schema is too large.
    """
    if value is None or value in ("", "json"):
        return
    if not isinstance(value, dict):
        quoted = json.dumps(json.dumps(value, ensure_ascii=False), ensure_ascii=False)
        raise InvalidOptionError(f'invalid format: {quoted}; expected "json" or a valid JSON Schema object')
    if len(msgspec.json.encode(value)) > _LARGEST:
        raise RequestError(f"invalid format: the schema has more than {_LARGEST} bytes")


def answer_grammar(value: JsonValue, parser: OutputParser | None) -> Grammar | None:
    """What the answer is held to.

    Args:
        value: a `format` that passed `check_format`.
        parser: reads the answer; thoughts that it takes out are left free.
    """
    if value is None or value == "":
        return None
    thinking = parser.thoughts if parser is not None else None
    if value == "json":
        return Grammar("json", thinking=thinking)
    return Grammar("json_schema", _closed(msgspec.json.encode(value)).decode(), thinking)


def _closed(schema: bytes) -> bytes:
    """The schema with no properties but the listed ones, where it leaves that open: as llama.cpp reads schemas.

    JSON Schema would allow any others, and a small model likes to go on listing. With `allOf` nothing is closed: its
    parts list different properties of one object.
    """
    if b'"allOf"' in schema:
        return schema
    root = msgspec.json.decode(schema)
    open_nodes: list[object] = [root]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list):
            open_nodes += node
        elif isinstance(node, dict):
            if isinstance(node.get("properties"), dict):
                node.setdefault("additionalProperties", False)
            for key, value in node.items():
                if key in _NAMED_SCHEMAS and isinstance(value, dict):
                    open_nodes += value.values()
                elif key not in _VALUES:
                    open_nodes.append(value)
    return msgspec.json.encode(root)
