"""The JSON Schemas of the API's Structs."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from camelid.types.json import JsonObject, JsonValue
from camelid.types.options import Options, SamplingOptions

__all__ = ("Schemas",)

_WHERE: Final = "#/components/schemas/{name}"

_REFERENCE: Final = re.compile(r" \(contract [\d., ]+\)")
"""What a docstring says to those who have the contract at hand."""

_TEXTS_OR_TOKENS: Final[JsonObject] = {
    "type": "array",
    "items": {"anyOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": "integer"}}]},
}

_VALUES: Final[dict[str, JsonObject]] = {
    "think": {
        "description": "Whether, or how hard, the model shall think; without it, it does if it can.",
        "anyOf": [{"type": ["boolean", "null"]}, {"enum": ["low", "medium", "high", "max"]}],
    },
    "format": {
        "description": 'What the answer must be: "json", or a JSON Schema.',
        "anyOf": [{"enum": ["json", "", None]}, {"type": "object"}],
    },
    "keep_alive": {
        "description": 'How long the model stays loaded: seconds, or a duration such as "5m"; negative: for ever.',
        "type": ["number", "string", "null"],
    },
    "input": {
        "description": "One text, or several. Below /v1 also token ids in place of a text.",
        "anyOf": [{"type": ["string", "null"]}, _TEXTS_OR_TOKENS],
    },
    "prompt": {
        "description": "One text, or several; or token ids in place of a text.",
        "anyOf": [{"type": ["string", "null"]}, _TEXTS_OR_TOKENS],
    },
    "stop": {
        "description": "Texts that end the answer: one, or several.",
        "anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}],
    },
    "tool_choice": {
        "description": "Whether the model calls tools; an object names one.",
        "anyOf": [{"enum": ["none", "auto", "required", None]}, {"type": "object"}],
    },
    "license": {
        "description": "One text, or several.",
        "anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}],
    },
    "ResponsesBody.input": {
        "description": "A text, or the items of a conversation.",
        "anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "object"}}],
    },
    "options": {"$ref": _WHERE.format(name="Options")},
    "embedding": {"type": "array", "items": {"type": "number"}},
    "embeddings": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
}
"""Fields that handlers read or write as they are, because their forms have no common type in Python: by their names, or
by `STRUCT.NAME` where that means something else."""

_LOGIT_BIAS: Final[JsonObject] = {
    "description": "What is added to the logits of tokens, by their ids.",
    "type": "object",
    "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
    "propertyNames": {"pattern": "^[0-9]{1,9}$"},
}

_ANY: Final[JsonObject] = {"description": "Any JSON value."}


def _any(kind: type) -> JsonObject:
    """The schema of a type that msgspec knows none for: `object` stands for any value."""
    if kind is object:
        return dict(_ANY)  # msgspec writes defaults into it
    raise NotImplementedError(kind)


class Schemas:
    """The components of a document."""

    def __init__(self, kinds: Iterable[type[msgspec.Struct]]) -> None:
        """Make a schema of each Struct, and of all that are in them."""
        _, found = msgspec.json.schema_components(
            [*kinds, Options, SamplingOptions], schema_hook=_any, ref_template=_WHERE
        )
        self.components: dict[str, JsonObject] = {
            name: _without_private(schema) for name, schema in sorted(found.items())
        }
        self._join_options()

    @staticmethod
    def of(kind: type[msgspec.Struct]) -> JsonObject:
        """A reference to the schema of a Struct."""
        return {"$ref": _WHERE.format(name=kind.__name__)}

    def _join_options(self) -> None:
        """One object on the wire, two in Python."""
        sampling = _properties(self.components.pop("SamplingOptions"))
        inner = ("sampling", "backend_origin")
        loading = {
            name: schema for name, schema in _properties(self.components["Options"]).items() if name not in inner
        }
        del self.components["BackendOrigin"]
        self.components["Options"] = {
            "description": "How to load the model, and how to choose tokens. Others are ignored.",
            "type": "object",
            "properties": {**sampling, **loading, "logit_bias": _LOGIT_BIAS},
        }


def _properties(schema: JsonObject) -> dict[str, JsonValue]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _without_private(schema: JsonObject) -> JsonObject:
    """A schema as msgspec makes it, with its free values described, and without what only our code is interested in."""
    described = {
        name: (_VALUES.get(f"{schema['title']}.{name}") or _VALUES.get(name, inner)) if _is_free(inner) else inner
        for name, inner in _properties(schema).items()
    }
    kept = {key: _REFERENCE.sub("", str(value)) if key == "description" else value for key, value in schema.items()}
    del kept["title"]
    return {**kept, "properties": described} if described else kept


def _is_free(schema: JsonValue) -> bool:
    """Whether any value, or any object, would do."""
    if not isinstance(schema, dict):
        return False
    kept = {key: value for key, value in schema.items() if key != "default"}
    return kept in ({}, _ANY, {"type": "object", "additionalProperties": _ANY})
