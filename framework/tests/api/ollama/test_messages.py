import json

import msgspec
import pytest

from camelid.api.body import decode
from camelid.api.ollama.chat import ChatBody
from camelid.api.ollama.messages import read_messages
from camelid.api.ollama.tools import read_tools
from camelid.api.ollama.values import parse_think
from camelid.errors import RequestError
from camelid.types.messages import FunctionCall, Message, ToolCall


def body_of(**fields) -> ChatBody:
    return decode(json.dumps(fields).encode(), ChatBody)


async def test_a_message_with_everything():
    body = body_of(
        messages=[
            {
                "role": "Assistant",
                "content": "c",
                "thinking": "t",
                "images": ["AAEC"],
                "tool_calls": [
                    {
                        "id": "1",
                        "type": "function",
                        "function": {"index": 2, "name": "f", "arguments": {"z": 1, "a": []}},
                    },
                    {"function": {"name": "g"}},
                ],
                "tool_name": "n",
                "tool_call_id": "i",
                "unknown": 1,
            },
            {"role": "user"},
            None,
        ]
    )
    read = await read_messages(body.messages)
    assert read == (
        Message(
            role="assistant",
            content="c",
            thinking="t",
            images=(b"\0\1\2",),
            tool_calls=(ToolCall(FunctionCall("f", {"z": 1, "a": []}, 2), "1"), ToolCall(FunctionCall("g"))),
            tool_name="n",
            tool_call_id="i",
        ),
        Message(role="user"),
        Message(role=""),
    )
    assert list(read[0].tool_calls[0].function.arguments) == ["z", "a"]


def test_a_tool_keeps_the_keywords_that_templates_know():
    parameters = {
        "additionalProperties": False,
        "properties": {
            "b": {"description": "d", "type": "string", "minimum": 1, "enum": ["x", 2], "format": "date"},
            "a": {"type": ["string", "null"], "default": "x", "items": {"type": "string", "pattern": "kept"}},
            "c": {
                "anyOf": [{"type": "object", "properties": {"q": {"type": "number"}}, "required": ["q"]}, {"const": 1}]
            },
        },
        "required": ["b"],
        "type": "object",
        "$defs": {"x": {"anything": True}},
    }
    function = {"name": "f", "description": "F", "parameters": parameters, "strict": True}
    (tool,) = read_tools(body_of(tools=[{"type": "function", "function": function}]).tools)
    assert (tool.type, tool.function.name, tool.function.description) == ("function", "f", "F")
    assert json.dumps(tool.function.parameters) == json.dumps(
        {
            "type": "object",
            "$defs": {"x": {"anything": True}},
            "required": ["b"],
            "properties": {
                "b": {"type": "string", "description": "d", "enum": ["x", 2]},
                "a": {"type": ["string", "null"], "items": {"type": "string", "pattern": "kept"}},
                "c": {"anyOf": [{"type": "object", "properties": {"q": {"type": "number"}}, "required": ["q"]}, {}]},
            },
        }
    )


def with_argument(written: str) -> ChatBody:
    """A request with a tool with an argument of a type, which is JSON."""
    return body_of(tools=[{"function": {"parameters": {"properties": {"a": {"type": json.loads(written)}}}}}])


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ('"string"', {"type": "string"}),
        ('["string"]', {"type": "string"}),
        ('["string","null"]', {"type": ["string", "null"]}),
        ("[]", {}),
        ('""', {"type": ""}),
    ],
)
def test_types_of_an_argument(written, seen):
    (tool,) = read_tools(with_argument(written).tools)
    assert tool.function.parameters["properties"] == {"a": seen}


@pytest.mark.parametrize(
    ("written", "found", "wanted"),
    [("5", "number", "[]string"), ("{}", "object", "[]string"), ("[5]", "number", "string")],
)
def test_what_is_no_type_of_an_argument_is_refused(written, found, wanted):
    with pytest.raises(RequestError) as caught:
        with_argument(written)
    where = "ChatRequest.tools.function.parameters.properties.type"
    assert caught.value.message == f"json: cannot unmarshal {found} into Go struct field {where} of type {wanted}"


def test_a_tool_without_parameters():
    (tool,) = read_tools(body_of(tools=[{"function": {"name": "f"}}]).tools)
    assert json.dumps(tool.function.parameters) == '{"type": "", "properties": null}'
    assert "description" not in msgspec.to_builtins(tool)["function"]


@pytest.mark.parametrize("value", [None, True, False, "low", "medium", "high", "max"])
def test_think(value):
    assert parse_think(value) is value
