"""What Anthropic's requests become for the chat service."""

import asyncio
from base64 import b64encode

import msgspec
import pytest

from camelid.api.anthropic.request import CountTokensBody, MessagesBody, read_count_request, read_request
from camelid.api.body import decode
from camelid.errors import RemoteModelError, RequestError
from camelid.services.chat import ChatRequest
from camelid.services.tool_choice import ToolChoice
from camelid.types.messages import Message

QUESTION = {"role": "user", "content": "Hi"}
WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": b64encode(b"png").decode()}}


async def load(url: str) -> bytes:
    return url.encode()


def read(**fields: object) -> ChatRequest:
    body = {"model": "m", "max_tokens": 5, "messages": [QUESTION], **fields}
    return asyncio.run(read_request(decode(msgspec.json.encode(body), MessagesBody), load))


def messages(*turns: object, **fields: object) -> tuple[Message, ...]:
    return read(messages=turns, **fields).messages


def user(*blocks: object) -> dict[str, object]:
    return {"role": "user", "content": blocks}


def test_a_plain_request():
    assert read() == ChatRequest(
        model="m",
        messages=(Message("user", "Hi"),),
        options={"num_predict": 5, "temperature": None, "top_p": None, "top_k": None, "stop": None},
        think_if_able=True,
    )


def test_options():
    options = read(temperature=0.5, top_p=0.25, top_k=3, stop_sequences=["a", "b"]).options
    assert options == {"num_predict": 5, "temperature": 0.5, "top_p": 0.25, "top_k": 3, "stop": ["a", "b"]}


@pytest.mark.parametrize(
    "system", ["Be kind.", [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind.", "cache_control": {}}]]
)
def test_the_system_text_comes_first(system):
    assert messages(QUESTION, system=system) == (Message("system", "Be kind."), Message("user", "Hi"))


def test_text_and_pictures_keep_their_places():
    turn = user({"type": "text", "text": "This: "}, PICTURE, {"type": "text", "text": " is what?"})
    assert messages(turn) == (Message("user", "This: [img] is what?", images=(b"png",)),)


def test_pictures_may_be_elsewhere():
    place = {"type": "image", "source": {"type": "url", "url": "http://x/cat.png"}}
    result = {"type": "tool_result", "tool_use_id": "x", "content": [place]}
    found = messages(user(place), user(result))
    assert [message.images for message in found] == [(b"http://x/cat.png",), (), (b"http://x/cat.png",)]


def test_an_answer_with_calls_and_their_results():
    answer = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "x"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "b", "name": "clock", "input": {}},
        ],
    }
    results = user(
        {"type": "text", "text": "And?"},
        {"type": "tool_result", "tool_use_id": "a", "content": "Rain."},
        {
            "type": "tool_result",
            "tool_use_id": "b",
            "is_error": True,
            "content": [{"type": "text", "text": "no "}, {"type": "text", "text": "clock"}, PICTURE],
        },
    )
    _, said, rain, broken, then = messages(QUESTION, answer, results)
    assert (said.content, said.thinking) == ("Let me see.", "Hm.")
    assert [(call.id, call.function.name, call.function.index) for call in said.tool_calls] == [
        ("a", "weather", 0),
        ("b", "clock", 1),
    ]
    assert said.tool_calls[0].function.arguments == {"city": "Oslo"}
    assert rain == Message("tool", "Rain.", tool_name="weather", tool_call_id="a")
    assert broken == Message("tool", "Error: no clock", tool_name="clock", tool_call_id="b")
    assert then == Message("user", "[img]And?", images=(b"png",))


def test_results_alone_are_no_question():
    (result,) = messages(user({"type": "tool_result", "tool_use_id": "x", "content": "error: none", "is_error": True}))
    assert result == Message("tool", "error: none", tool_call_id="x")


def test_a_document_is_text():
    source = {"type": "text", "media_type": "text/plain", "data": "All work."}
    (message,) = messages(
        user({"type": "document", "title": "Play", "source": source}, {"type": "text", "text": "So?"})
    )
    assert message.content == "Play\nAll work.\nSo?"


def test_blocks_of_other_types_are_skipped():
    assert messages(user({"type": "new"}, {"type": "text", "text": "Hi"})) == (Message("user", "Hi"),)


def test_tools():
    (tool,) = read(tools=[{**WEATHER, "description": "Tells it.", "type": "custom"}]).tools
    assert (tool.type, tool.function.name, tool.function.description) == ("function", "weather", "Tells it.")
    assert tool.function.parameters == {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("sent", "choice"),
    [
        (None, ToolChoice()),
        ({"type": "auto"}, ToolChoice()),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(parallel=False)),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required", parallel=False)),
        ({"type": "tool", "name": "weather"}, ToolChoice("required", "weather")),
        ({"type": "none"}, ToolChoice("none")),
    ],
)
def test_tool_choice(sent, choice):
    assert read(tools=[WEATHER], tool_choice=sent).tool_choice == choice


@pytest.mark.parametrize(
    ("fields", "think"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, False),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, "high"),
        ({"output_config": {"effort": "max"}}, "max"),
        ({"output_config": {"effort": "a lot"}}, None),
    ],
)
def test_thinking(fields, think):
    assert read(**fields).think == think


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_the_format_of_the_answer(place):
    form = {"type": "json_schema", "schema": {"type": "object"}}
    assert read(**{place: {"format": form} if place == "output_config" else form}).format == {"type": "object"}


async def test_counting_asks_for_no_answer():
    body = decode(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}', CountTokensBody)
    request = await read_count_request(body, load)
    assert (request.count_only, request.truncate, request.messages) == (True, False, (Message("user", "Hi"),))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "", "max_tokens": 0}, "model is required"),
        ({"max_tokens": None, "messages": []}, "max_tokens is required and must be positive"),
        ({"max_tokens": -1}, "max_tokens is required and must be positive"),
        ({"messages": []}, "messages is required"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content: must be a string or a list"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "json: cannot unmarshal string into Go value of type"),
        ({"system": 1}, "system: must be a string or a list"),
        ({"messages": [user({"type": "image"})]}, "invalid image source"),
        (
            {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "x"}})]},
            "invalid image source type: file. Only base64 images are supported.",
        ),
        (
            {"messages": [user({"type": "image", "source": {"type": "base64", "data": "?"}})]},
            "invalid base64 image data: illegal base64 data at input byte 0",
        ),
        ({"messages": [user({"type": "document", "source": {"type": "base64"}})]}, "invalid document source type"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f"}]}]},
            "tool_use block missing required 'id' field",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "f"}]}]},
            "tool_use block missing required 'name' field",
        ),
        ({"tools": [{"name": "f"}]}, 'invalid input_schema for tool "f"'),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, 'tool type "bash_20250124" is not supported'),
        ({"tool_choice": {"type": "tool"}}, "tool_choice of type tool missing required 'name' field"),
        ({"tool_choice": {"type": "some"}}, 'invalid tool_choice type "some"'),
        ({"output_config": {"format": {"type": "xml"}}}, 'output format must be of type "json_schema"'),
    ],
)
def test_errors(fields, error):
    with pytest.raises(RequestError) as raised:
        read(**fields)
    assert raised.value.message.startswith(error)
    assert raised.value.status == 400


def test_tools_of_the_cloud_are_refused():
    with pytest.raises(RemoteModelError, match="web search is unavailable"):
        read(tools=[{"type": "web_search_20250305", "name": "web_search"}])
