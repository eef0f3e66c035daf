"""Anthropic's endpoints on the wire (contract 10)."""

import asyncio
import json
import re

import pytest
import pytest_asyncio
from litestar import Litestar, post
from litestar.types import ASGIApp

from camelid.api.anthropic.errors import ANTHROPIC_EXCEPTION_HANDLERS, error_event
from camelid.api.anthropic.messages import _events
from camelid.api.anthropic.reply import MessageEvents
from camelid.api.events import EventStream
from camelid.api.request import ApiRequest
from camelid.errors import ServerBusyError, WorkerDiedError
from camelid.services.chat import ChatRequest
from camelid.types.generation import GenerationChunk

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDS = re.compile(r"(msg|req)_[0-9a-f]{24}")
TOOLED = (
    "{{ .Tools }}{{ range .Messages }}{{ .Role }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    "{{ if .ToolCalls }}<tool_call>{{ range .ToolCalls }}{{ .Function }}{{ end }}</tool_call>{{ end }}"
    "<|turn|>{{ .Content }}{{ end }}<|answer|>"
)
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>'
WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}

REMOTE = {"type": "image", "source": {"type": "url", "url": "http://localhost/cat.png"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tooled(ollama):
    """Has the model `tooled`, which takes tools and thinks."""
    body = {"model": "tooled", "from": "camelid/echo", "template": TOOLED, "stream": False}
    (await ollama.post("/api/create", json=body)).raise_for_status()
    return ollama


async def ask(client, text="Hello", **fields):
    body = {"model": "echo", "max_tokens": 200, "messages": [{"role": "user", "content": text}], **fields}
    return await client.post("/v1/messages", json=body)


async def test_one_object(ollama):
    reply = await ask(ollama, metadata={"user_id": "x"}, service_tier="auto")
    assert reply.headers["content-type"] == "application/json"
    assert IDS.fullmatch(reply.headers["request-id"])
    assert IDS.sub("ID", reply.text) == (
        '{"id":"ID","type":"message","role":"assistant","model":"echo","content":[{"type":"text","text":"Hello"}],'
        '"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":5}}\n'
    )


async def test_a_stream(ollama):
    reply = await ask(ollama, "a&b", stream=True)
    assert reply.headers["content-type"] == "text/event-stream"
    assert (reply.headers["cache-control"], reply.headers["connection"]) == ("no-cache", "keep-alive")
    events = reply.text.split("\n\n")
    assert IDS.sub("ID", "\n".join((*events[:2], *events[-4:]))) == (
        'event: message_start\ndata: {"type":"message_start","message":{"id":"ID","type":"message",'
        '"role":"assistant","model":"echo","content":[],"stop_reason":null,"stop_sequence":null,'
        '"usage":{"input_tokens":1,"output_tokens":0}}}\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"text","text":""}}\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        '"usage":{"input_tokens":10,"output_tokens":3}}\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n'
    )
    form = (
        r'event: content_block_delta\ndata: \{"type":"content_block_delta","index":0,'
        r'"delta":\{"type":"text_delta","text":"[^"]+"\}\}'
    )
    assert all(re.fullmatch(form, event) for event in events[2:-4])
    assert "".join(re.findall(r'_delta","text":"([^"]+)"', reply.text)) == r"a\u0026b"


async def test_stop_sequences(ollama):
    message = (await ask(ollama, "one two", stop_sequences=["three", " two"])).json()
    assert (message["content"], message["stop_reason"], message["stop_sequence"]) == (
        [{"type": "text", "text": "one"}],
        "stop_sequence",
        " two",
    )


async def test_max_tokens(ollama):
    message = (await ask(ollama, max_tokens=2)).json()
    assert (message["content"][0]["text"], message["stop_reason"]) == ("He", "max_tokens")


@pytest.mark.parametrize("stream", [False, True])
async def test_thinking_text_and_a_call(tooled, stream):
    reply = await ask(tooled, f"<think>Hm.</think>So: {CALL}", model="tooled", tools=[WEATHER], stream=stream)
    if stream:
        starts = re.findall(r'"content_block":\{"type":"(\w+)"', reply.text)
        assert starts == ["thinking", "text", "tool_use"]
        assert '"delta":{"type":"signature_delta","signature":"camelid"}' in reply.text
        assert r'"delta":{"type":"input_json_delta","partial_json":"{\"city\":\"Oslo\"}"}' in reply.text
        assert '"stop_reason":"tool_use"' in reply.text
        return
    thinking, text, call = reply.json()["content"]
    assert thinking == {"type": "thinking", "thinking": "Hm.", "signature": "camelid"}
    assert text == {"type": "text", "text": "So: "}
    assert {**call, "id": ""} == {"type": "tool_use", "id": "", "name": "weather", "input": {"city": "Oslo"}}
    assert reply.json()["stop_reason"] == "tool_use"


async def test_a_call_that_is_insisted_on(ollama):
    schema = {
        "type": "object",
        "properties": {"unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
        "required": ["unit"],
    }
    tools = [{"name": "measure", "input_schema": schema}]
    choice = {"type": "tool", "name": "measure"}
    reply = await ask(ollama, tools=tools, tool_choice=choice, temperature=1.5)
    (call,) = reply.json()["content"]
    assert (call["type"], call["name"]) == ("tool_use", "measure")
    assert call["input"]["unit"] in ("celsius", "kelvin")
    assert reply.json()["stop_reason"] == "tool_use"


async def test_a_schema_of_a_tool_may_be_too_deep(ollama):
    deep = '{"type":"object","properties":{"a":' * 400 + "{}" + "}}" * 400
    body = '{"model":"echo","max_tokens":9,"messages":[{"content":"Hi"}],"tools":[{"name":"f","input_schema":'
    reply = await ollama.post("/v1/messages", content=body + deep + '}],"tool_choice":{"type":"any"}}')
    assert (reply.status_code, reply.json()["error"]["message"]) == (400, 'the parameters of "f" are too deep')


async def test_a_format(ollama):
    schema = {"type": "object", "properties": {"n": {"enum": [4, 5]}}, "required": ["n"]}
    reply = await ask(ollama, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(reply.json()["content"][0]["text"])["n"] in (4, 5)


async def test_a_model_that_cannot_think_answers_without(ollama):
    reply = await ask(ollama, thinking={"type": "enabled", "budget_tokens": 1024})
    assert reply.json()["content"] == [{"type": "text", "text": "Hello"}]


async def test_counting_tokens(tooled):
    async def counted(text: str, **fields: object) -> int:
        body = {"model": "tooled", "messages": [{"role": "user", "content": text}], **fields}
        reply = await tooled.post("/v1/messages/count_tokens?beta=true", json=body)
        assert list(reply.json()) == ["input_tokens"]
        return reply.json()["input_tokens"]

    answered = (await ask(tooled, model="tooled")).json()["usage"]["input_tokens"]
    assert await counted("Hello") == answered
    assert await counted("Hello", tools=[WEATHER]) > answered
    assert await counted("x" * 50_000) > 50_000


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "message"),
    [
        ("", {"model": "nope"}, 404, "not_found_error", "model 'nope' not found"),
        ("", {"model": "nope", "stream": True}, 404, "not_found_error", "model 'nope' not found"),
        ("", {"max_tokens": 0}, 400, "invalid_request_error", "max_tokens is required and must be positive"),
        ("", {"tools": [WEATHER]}, 400, "invalid_request_error", "registry.ollama.ai/library/echo:latest does not"),
        ("", {"tool_choice": {"type": "any"}}, 400, "invalid_request_error", "a tool call is required, but there"),
        ("", {"tools": [{"type": "web_search_20250305"}]}, 403, "permission_error", "ollama cloud is disabled: web"),
        ("", {"messages": [{"content": [REMOTE]}]}, 400, "invalid_request_error", "image URLs are not currently supp"),
        ("", {"messages": 1}, 400, "invalid_request_error", "json: cannot unmarshal number into Go struct field"),
        ("/count_tokens", {"model": "nope"}, 404, "not_found_error", "model 'nope' not found"),
        ("/count_tokens", {"model": ""}, 400, "invalid_request_error", "model is required"),
        ("/count_tokens", {"messages": []}, 400, "invalid_request_error", "messages is required"),
    ],
)
async def test_errors(ollama, path, body, status, kind, message):  # noqa: PLR0917 - columns of the table above
    full = {"model": "echo", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **body}
    reply = await ollama.post(f"/v1/messages{path}", json=full)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/json")
    assert list(reply.json()) == ["type", "error", "request_id"]
    assert (reply.json()["type"], reply.json()["error"]["type"]) == ("error", kind)
    assert reply.json()["error"]["message"].startswith(message)
    assert reply.json()["request_id"] == reply.headers["request-id"]
    assert IDS.fullmatch(reply.headers["request-id"])


async def test_a_long_silence_is_told_and_begins_the_stream():
    pinged = asyncio.Event()

    async def items():
        await pinged.wait()
        yield GenerationChunk(content="Hi")
        raise WorkerDiedError("it died")

    events = _events(items(), MessageEvents(ChatRequest(model="m"), ()), 0.01)
    first = await anext(events)
    assert first.startswith(b"event: message_start\n")
    assert first.endswith(b'\n\nevent: ping\ndata: {"type":"ping"}\n\n')
    pinged.set()
    while (event := await anext(events)).startswith(b"event: ping\n"):
        pass
    assert event.startswith(b"event: content_block_start\n")
    with pytest.raises(WorkerDiedError):
        await anext(events)


def failing_app(*chunks: GenerationChunk, error: Exception) -> Litestar:
    """Answers with some chunks, then with an error."""

    async def items():
        for chunk in chunks:
            yield chunk
        raise error

    @post("/")
    async def handler(request: ApiRequest) -> ASGIApp:
        await request.body()
        events = _events(items(), MessageEvents(ChatRequest(model="m"), ()))
        return EventStream(events, failed=lambda failure: error_event(failure, "req_1"))

    return Litestar([handler], exception_handlers=ANTHROPIC_EXCEPTION_HANDLERS, openapi_config=None)


@pytest.mark.parametrize(
    ("error", "kind"), [(WorkerDiedError("it died"), "api_error"), (ServerBusyError("it ends"), "overloaded_error")]
)
async def test_an_error_in_the_middle_of_a_stream_is_its_last_event(serve, error, kind):
    async with serve(failing_app(GenerationChunk(content="Hel"), error=error)) as client:
        reply = await client.post("/")
    assert reply.status_code == 200
    told = f'"error":{{"type":"{kind}","message":"{error}"}}'
    end = f'event: error\ndata: {{"type":"error",{told},"request_id":"req_1"}}\n\n'
    assert reply.text.endswith('"text":"Hel"}}\n\n' + end)


async def test_an_error_before_the_stream_has_its_status(serve):
    async with serve(failing_app(error=ServerBusyError("later"))) as client:
        reply = await client.post("/")
    assert (reply.status_code, reply.json()["error"]["type"]) == (503, "overloaded_error")


async def test_a_client_that_leaves_stops_its_answer(ollama):
    slow = {"draft_num_predict": 0, "backend_options": {"delay": 0.02}}
    body = {"model": "slow", "from": "camelid/echo", "parameters": slow, "stream": False}
    (await ollama.post("/api/create", json=body)).raise_for_status()
    body = {"model": "slow", "max_tokens": 3000, "messages": [{"role": "user", "content": "x" * 3000}], "stream": True}
    async with ollama.stream("POST", "/v1/messages", json=body) as reply:
        assert await anext(reply.aiter_lines()) == "event: message_start"
    # Waits until the model is idle, which it would not be for half a minute if the answer went on.
    await asyncio.wait_for(_unloaded(ollama, "slow"), 15)


async def _unloaded(client, name) -> None:
    await client.post("/api/chat", json={"model": name, "keep_alive": 0})
    while f"{name}:latest" in (await client.get("/api/ps")).text:  # noqa: ASYNC110 - the server has no event to wait for
        await asyncio.sleep(0.05)
