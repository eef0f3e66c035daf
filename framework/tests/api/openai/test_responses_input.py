"""What input items and other fields of a response become for the chat service."""

import asyncio
from base64 import b64encode

import msgspec
import pytest

from camelid.api.body import decode
from camelid.api.openai.responses_input import read_input, shown_items
from camelid.api.openai.responses_request import ResponsesBody, namespaces_of, new_reply, read_request
from camelid.errors import RequestError
from camelid.services.chat import ChatRequest
from camelid.services.remote_pictures import RemotePictures
from camelid.services.tool_choice import ToolChoice
from camelid.types.messages import FunctionCall, Message, ToolCall

PICTURE = {"type": "input_image", "image_url": f"data:image/png;base64,{b64encode(b'png').decode()}"}
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "required": ["city"]}}


def items(value: object, before: tuple[Message, ...] = ()) -> tuple[Message, ...]:
    return asyncio.run(read_input(value, RemotePictures(()), before))


def body(**fields: object) -> ResponsesBody:
    return decode(msgspec.json.encode({"model": "m", "input": "Hi", **fields}), ResponsesBody)


def read(**fields: object) -> ChatRequest:
    return read_request(body(**fields), (Message("user", "Hi"),))


def test_a_text():
    assert items("Hi") == (Message("user", "Hi"),)


def test_messages():
    found = items(
        [
            {"role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "This: "}, PICTURE]},
            {
                "role": "assistant",
                "content": [{"type": "output_text", "text": "A "}, {"type": "output_text", "text": "cat."}],
            },
        ]
    )
    assert found == (
        Message("system", "Be kind."),
        Message("user", "This: [img]", images=(b"png",)),
        Message("assistant", "A cat."),
    )


def test_thoughts_and_calls_belong_to_their_answer():
    found = items(
        [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Hm."},
            {"type": "message", "role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city":"Oslo"}'},
            {"type": "function_call", "call_id": "b", "name": "clock", "namespace": "tools", "arguments": ""},
            {"type": "function_call_output", "call_id": "a", "output": "Rain."},
            {
                "type": "function_call_output",
                "call_id": "b",
                "output": [{"type": "input_text", "text": "Noon."}, PICTURE],
            },
            {"type": "web_search_call", "id": "ws_1"},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "So."}]},
            {"type": "function_call", "call_id": "c", "name": "clock", "arguments": "{}"},
        ]
    )
    calls = (
        ToolCall(FunctionCall("weather", {"city": "Oslo"}), "a"),
        ToolCall(FunctionCall("tools.clock", {}, 1), "b"),
    )
    assert found == (
        Message("assistant", "Let me see.", thinking="Hm.", tool_calls=calls),
        Message("tool", "Rain.", tool_name="weather", tool_call_id="a"),
        Message("tool", "Noon.", tool_name="tools.clock", tool_call_id="b"),
        Message("user", "[img]", images=(b"png",)),
        Message("assistant", thinking="So.", tool_calls=(ToolCall(FunctionCall("clock", {}), "c"),)),
    )


def test_results_of_calls_in_the_conversation_before():
    before = (Message("assistant", tool_calls=(ToolCall(FunctionCall("weather"), "a"),)),)
    (result,) = items([{"type": "function_call_output", "call_id": "a", "output": "Rain."}], before)
    assert result.tool_name == "weather"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "input must be a string or array"),
        (1, "input must be a string or array"),
        (["x"], "input[0]: input item must be an object"),
        ([{}], "input[0]: input item missing required 'type' field"),
        ([{"type": "new"}], 'input[0]: unknown input item type: "new"'),
        ([{"role": "user", "content": 1}], "content must be a string or array"),
        ([{"role": "user", "content": [{"type": "new"}]}], "content[0]: unknown content type: new"),
        ([{"role": "user", "content": [{}]}], "content[0]: content part missing required 'type' field"),
        ([{"role": "user", "content": [{"type": "input_file"}]}], "file inputs are not currently supported"),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "x"}]}], "content[0]: an input_image needs"),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}], "image URLs are not"),
        ([{"type": "function_call", "arguments": "{"}], "failed to parse function call arguments: "),
        ([{"type": "function_call", "arguments": "[]"}], "failed to parse function call arguments: they must be"),
    ],
)
def test_wrong_input(value, error):
    with pytest.raises(RequestError) as raised:
        items(value)
    assert raised.value.message.startswith(error)


def test_items_are_shown_with_an_id():
    (text,) = map(msgspec.json.decode, shown_items("Hi"))
    assert text.pop("id").startswith("msg_")
    assert text == {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    (own,) = map(msgspec.json.decode, shown_items([{"role": "user", "content": "Hi", "id": "mine"}]))
    assert own == {"id": "mine", "type": "message", "role": "user", "content": "Hi"}


def test_a_plain_request():
    assert read() == ChatRequest(
        model="m",
        messages=(Message("user", "Hi"),),
        options={"top_p": None, "num_predict": None, "temperature": 1.0},
    )


def test_all_fields():
    request = read(
        instructions="Be kind.",
        temperature=0,
        top_p=0.5,
        max_output_tokens=9,
        reasoning={"effort": "minimal"},
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        truncation="disabled",
        top_logprobs=2,
    )
    assert request.messages == (Message("system", "Be kind."), Message("user", "Hi"))
    assert request.options == {"top_p": 0.5, "num_predict": 9, "temperature": 0.0}
    assert (request.think, request.format, request.truncate) == ("low", {"type": "object"}, False)
    assert (request.logprobs, request.top_logprobs) == (True, 2)


def test_tools_and_namespaces():
    tools = [WEATHER, {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "clock"}]}]
    hosted = [{"type": "web_search"}, {"type": "file_search", "vector_store_ids": []}]
    request = read(tools=[*tools, *hosted])
    assert [tool.function.name for tool in request.tools] == ["weather", "ns.clock"]
    assert request.tools[0].function.parameters == {"type": "object", "properties": {}, "required": ["city"]}
    assert namespaces_of(body(tools=tools)) == {"ns.clock": ("ns", "clock")}


@pytest.mark.parametrize(
    ("sent", "choice", "left"),
    [
        ("auto", ToolChoice(), 2),
        ("none", ToolChoice("none"), 2),
        ("required", ToolChoice("required"), 2),
        ({"type": "function", "name": "weather"}, ToolChoice("required", "weather"), 2),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]}, ToolChoice(), 1),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"name": {}}, 1]}, ToolChoice(), 0),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]},
            ToolChoice("required"),
            1,
        ),
    ],
)
def test_tool_choice(sent, choice, left):
    request = read(tools=[WEATHER, {"type": "function", "name": "b"}], tool_choice=sent)
    assert (request.tool_choice, len(request.tools)) == (choice, left)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"conversation": "c"}, "conversation is not supported"),
        ({"prompt": {"id": "p"}}, "prompt is not supported"),
        ({"tool_choice": {"type": "file_search"}}, "invalid tool_choice"),
        ({"tools": [{"type": "function"}]}, "tools[0]: a function needs a name"),
        ({"text": {"format": {"type": "xml"}}}, "invalid text.format"),
        ({"text": {"format": {"type": "json_schema"}}}, "invalid text.format"),
        ({"reasoning": {"effort": "a lot"}}, 'invalid reasoning value: "a lot"'),
    ],
)
def test_wrong_fields(fields, error):
    with pytest.raises(RequestError) as raised:
        read(**fields)
    assert raised.value.message.startswith(error)


def test_what_is_echoed():
    reply = msgspec.to_builtins(
        new_reply(
            body(
                tools=[{"type": "function", "name": "f"}],
                tool_choice="none",
                reasoning={"effort": "low"},
                metadata={"a": "b"},
                store=False,
                truncation="auto",
            )
        )
    )
    assert reply["tools"] == [
        {"description": None, "parameters": None, "strict": None, "type": "function", "name": "f"}
    ]
    assert reply["tool_choice"] == "none"
    assert reply["reasoning"] == {"effort": "low", "summary": None}
    assert (reply["metadata"], reply["store"], reply["truncation"]) == ({"a": "b"}, False, "auto")
    assert reply["text"] == {"format": {"type": "text"}}


def test_what_is_null_counts_as_not_sent():
    (item,) = shown_items([{"type": None, "id": None, "role": "user", "content": "hi"}])
    shown = msgspec.json.decode(item)
    assert shown["type"] == "message"
    assert shown["id"].startswith("msg_")
