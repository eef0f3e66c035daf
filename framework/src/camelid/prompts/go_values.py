"""Conversations as Go templates see them (contract 12.2, 5.1)."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from camelid.prompts.go_json import JsonDict, JsonList, JsonStruct, TypeNames
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Message, Tool, ToolCall

__all__ = ("collate", "message_values", "tool_values", "typescript_type")

_TYPESCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


def collate(messages: Sequence[Message]) -> list[Message]:
    """Messages with neighbours of the same role, except `tool`, merged into one."""
    merged: list[Message] = []
    for role, neighbours in groupby(messages, key=attrgetter("role")):
        turns = list(neighbours)
        merged += turns if role == "tool" or len(turns) == 1 else [_merged(turns)]
    return merged


def _merged(turns: Sequence[Message]) -> Message:
    return msgspec.structs.replace(
        turns[0],
        content="\n\n".join(turn.content for turn in turns),
        images=tuple(image for turn in turns for image in turn.images),
        tool_calls=tuple(call for turn in turns for call in turn.tool_calls),
    )


def message_values(messages: Iterable[Message]) -> list[JsonObject]:
    """`.Messages`."""
    return [
        {
            "Role": message.role,
            "Content": message.content,
            "Thinking": message.thinking,
            "Images": list(message.images),
            "ToolCalls": [_tool_call(call) for call in message.tool_calls],
            "ToolName": message.tool_name,
            "ToolCallID": message.tool_call_id,
        }
        for message in messages
    ]


def _tool_call(call: ToolCall) -> JsonStruct:
    index, name, arguments = call.function.index, call.function.name, JsonDict(call.function.arguments)
    function = JsonStruct(
        {"Index": index, "Name": name, "Arguments": arguments},
        {"index": index, "name": name, "arguments": arguments},
    )
    identity: JsonObject = {"id": call.id} if call.id else {}
    return JsonStruct({"ID": call.id, "Function": function}, {**identity, "function": function})


def tool_values(tools: Iterable[Tool]) -> JsonList:
    """`.Tools`."""
    return JsonList(_tool(tool) for tool in tools)


def _tool(tool: Tool) -> JsonStruct:
    name, description = tool.function.name, tool.function.description
    parameters = _parameters(tool.function.parameters or {})
    function = JsonStruct(
        {"Name": name, "Description": description, "Parameters": parameters},
        {"name": name, "description": description, "parameters": parameters},
    )
    return JsonStruct({"Type": tool.type, "Function": function}, {"type": tool.type, "function": function})


def _parameters(schema: JsonObject) -> JsonStruct:
    """The keywords of a tool's schema that Ollama knows; the others are dropped."""
    kind = _text(schema.get("type"))
    properties = _properties(schema.get("properties"))
    required = _strings(schema.get("required"))
    optional: JsonObject = {
        "$defs": schema.get("$defs"),
        "items": schema.get("items"),
        "required": required,
    }
    return JsonStruct(
        {
            "Type": kind,
            "Defs": schema.get("$defs"),
            "Items": schema.get("items"),
            "Required": required,
            "Properties": JsonDict() if properties is None else properties,
        },
        {"type": kind, **_without_empty(optional), "properties": properties},
    )


def _property(schema: JsonValue) -> JsonStruct:
    schema = schema if isinstance(schema, dict) else {}
    kind = schema.get("type")
    types = TypeNames([kind] if isinstance(kind, str) else _strings(kind))
    alternatives = schema.get("anyOf")
    any_of = [_property(each) for each in alternatives] if isinstance(alternatives, list) else []
    enum = schema.get("enum")
    values: JsonObject = {
        "anyOf": any_of,
        "type": types,
        "items": schema.get("items"),
        "description": _text(schema.get("description")),
        "enum": enum if isinstance(enum, list) else [],
        "properties": _properties(schema.get("properties")),
        "required": _strings(schema.get("required")),
    }
    return JsonStruct({key[0].upper() + key[1:]: value for key, value in values.items()}, _without_empty(values))


def _properties(schemas: JsonValue) -> JsonDict | None:
    if not isinstance(schemas, dict):
        return None
    return JsonDict({str(name): _property(schema) for name, schema in schemas.items()})


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _strings(values: JsonValue) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _without_empty(values: JsonObject) -> JsonObject:
    return {key: value for key, value in values.items() if value not in (None, "", [])}


def typescript_type(value: object = None) -> str:
    """`toTypeScriptType`: how TypeScript spells the type of a tool's property."""
    if not isinstance(value, JsonStruct):
        return "any"
    alternatives, types = value.as_json.get("anyOf"), value.as_json.get("type")
    if isinstance(alternatives, list):
        return " | ".join(map(typescript_type, alternatives))
    if isinstance(types, list):
        return " | ".join(_TYPESCRIPT.get(name, "any") for name in types)
    return "any"
