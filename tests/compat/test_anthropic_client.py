"""The official `anthropic` Python client against a real server with a real model."""

import asyncio
import json
from base64 import b64encode

import anthropic
import pydantic
import pytest

MODEL = "smollm2:135m"
TEMPLATE = (
    "{{ if .Tools }}{{ .Tools }}{{ end }}{{ range .Messages }}{{ .Role }}"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    "{{ if .ToolCalls }}<tool_call>{{ range .ToolCalls }}{{ .Function }}{{ end }}</tool_call>{{ end }}"
    "<|turn|>{{ .Content }}{{ end }}<|answer|>"
)
"""Of a model that says what it was told last, and takes tools and thinks in the way of Qwen."""
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer with one word."}]
COLD = {"temperature": 0}
"""No parameter of the client's any more; the API has it."""
STORY = [{"role": "user", "content": "Tell me a very long story."}]
WEATHER = {
    "name": "get_weather",
    "description": "Tells the weather in a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Oslo"]}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}
CLOCK = {"name": "get_time", "input_schema": {"type": "object", "properties": {}, "additionalProperties": False}}


@pytest.fixture(scope="module")
def client(server):
    server.post("/api/pull", model="camelid/echo", stream=False).raise_for_status()
    created = {"model": "tooled", "from": "camelid/echo", "template": TEMPLATE, "stream": False}
    server.post("/api/create", **created).raise_for_status()
    # Nothing is tried again: a status that a client would repeat shall show.
    with anthropic.Anthropic(base_url=server.url, api_key="unused", timeout=100, max_retries=0) as client:
        yield client


@pytest.fixture
def ask(client):
    def send(messages=QUESTION, **fields):
        return client.messages.create(
            **{"model": MODEL, "messages": messages, "max_tokens": 24, "extra_body": COLD, **fields}
        )

    return send


def test_a_message(ask):
    message = ask(system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}])
    assert (message.type, message.role, message.model, message.stop_reason) == (
        "message",
        "assistant",
        MODEL,
        "end_turn",
    )
    (block,) = message.content
    assert block.type == "text"
    assert "Paris" in block.text
    assert message.usage.input_tokens > 10
    assert message._request_id.startswith("req_")


def test_a_stream_says_the_same(client, ask):
    whole = ask(max_tokens=6)
    request = {"model": MODEL, "messages": QUESTION, "max_tokens": 6, "extra_body": COLD}
    with client.messages.stream(**request) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert (final.content[0].text, final.usage, final.stop_reason) == (whole.content[0].text, whole.usage, "max_tokens")
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    with client.messages.stream(**request) as stream:
        assert "".join(stream.text_stream) == whole.content[0].text


def test_a_stop_sequence(ask):
    message = ask([{"role": "user", "content": "Say: one two three."}], stop_sequences=["two"], model="tooled")
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "two")
    assert message.content[0].text == "Say: one "


def test_a_forced_call_and_what_follows(client, ask):
    choice = {"type": "tool", "name": "get_weather"}
    messages = [{"role": "user", "content": "How is the weather in Oslo?"}]
    answer = ask(messages, tools=[WEATHER, CLOCK], tool_choice=choice, max_tokens=200)
    assert answer.stop_reason == "tool_use"
    (call,) = answer.content
    assert (call.type, call.name, set(call.input)) == ("tool_use", "get_weather", {"city", "unit"})
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [{"type": "text", "text": "Sunny, 20 degrees."}],
    }
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    final = ask(messages, tools=[WEATHER, CLOCK], tool_choice={"type": "none"})
    assert [block.type for block in final.content] == ["text"]
    one = {"type": "any", "disable_parallel_tool_use": True}
    with client.messages.stream(
        model=MODEL, messages=messages[:1], tools=[WEATHER, CLOCK], tool_choice=one, max_tokens=200
    ) as stream:
        kinds = [event.type for event in stream]
        (block,) = stream.get_final_message().content
    assert "input_json" in kinds
    assert (block.type, block.name in ("get_weather", "get_time")) == ("tool_use", True)


def test_calls_and_thoughts_that_a_model_chose(client):
    call = '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo", "unit": "celsius"}}</tool_call>'
    messages = [{"role": "user", "content": f"<think>Hm.</think>Well: {call}"}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    request = {"model": "tooled", "messages": messages, "tools": [WEATHER], "max_tokens": 2048, "thinking": thinking}
    whole = client.messages.create(**request)
    thought, text, used = whole.content
    assert (thought.thinking, text.text, used.input) == ("Hm.", "Well: ", {"city": "Oslo", "unit": "celsius"})
    with client.messages.stream(**request) as stream:
        streamed = stream.get_final_message()
    assert [block.type for block in streamed.content] == ["thinking", "text", "tool_use"]
    assert streamed.content[0] == thought
    assert streamed.content[2].input == used.input
    # Thoughts go back as they came.
    messages += [{"role": "assistant", "content": whole.content}]
    messages += [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": used.id, "content": "Rain."}]}]
    assert client.messages.create(**request).content[0].text == "Rain."


class City(pydantic.BaseModel):
    name: str
    large: bool


def test_structured_output(client):
    message = client.messages.parse(model=MODEL, messages=QUESTION, max_tokens=200, extra_body=COLD, output_format=City)
    assert isinstance(message.parsed_output, City)


def test_counting_tokens(client, ask):
    counted = client.messages.count_tokens(model=MODEL, messages=QUESTION, system="Be brief.")
    assert counted.input_tokens == ask(system="Be brief.", max_tokens=1).usage.input_tokens


def test_a_model_that_cannot_think_answers_without(ask):
    assert "Paris" in ask(thinking={"type": "enabled", "budget_tokens": 1024}).content[0].text


def test_errors(client, ask):
    with pytest.raises(anthropic.NotFoundError) as missing:
        ask(model="nope")
    assert missing.value.body["error"] == {"type": "not_found_error", "message": "model 'nope' not found"}
    assert missing.value.request_id == missing.value.body["request_id"]
    with pytest.raises(anthropic.NotFoundError), client.messages.stream(model="nope", messages=QUESTION, max_tokens=1):
        pass
    with pytest.raises(anthropic.BadRequestError, match="max_tokens is required"):
        ask(max_tokens=0)
    with pytest.raises(anthropic.BadRequestError, match="does not support tools"):
        ask(tools=[WEATHER])
    picture = {"type": "base64", "media_type": "image/png", "data": b64encode(b"\x89PNG").decode()}
    with pytest.raises(anthropic.BadRequestError, match="does not support images"):
        ask([{"role": "user", "content": [{"type": "image", "source": picture}]}])
    with pytest.raises(anthropic.BadRequestError, match="image URLs are not currently supported"):
        ask([{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://localhost/x"}}]}])


def test_a_worker_that_dies_in_the_middle_is_told_in_the_stream(client, server):
    seen = []

    def read() -> None:
        for event in client.messages.create(model=MODEL, messages=STORY, max_tokens=4000, stream=True):
            seen.append(event)
            if len(seen) == 5:
                for worker in server.workers():
                    worker.kill()

    with pytest.raises(anthropic.APIStatusError, match="unexpectedly stopped") as caught:
        read()
    assert caught.value.body["error"]["type"] == "api_error"
    assert len(seen) >= 5


def test_a_stream_that_is_closed_stops_the_model(client, server, ask):
    for _ in range(3):
        with client.messages.create(model=MODEL, messages=STORY, max_tokens=4000, stream=True) as stream:
            for event in stream:
                if event.type == "content_block_delta":
                    break
    assert "Paris" in ask().content[0].text
    # Waits until the model is idle, which it would not be for minutes if the stories went on.
    assert server.post("/api/chat", model=MODEL, keep_alive=0).json()["done_reason"] == "unload"
    assert server.http.get("/api/ps").json()["models"] == []


async def test_several_at_once_and_one_is_cancelled(server):
    async with anthropic.AsyncAnthropic(base_url=server.url, auth_token="unused", timeout=100, max_retries=0) as client:

        async def ask(**fields) -> anthropic.types.Message:
            return await client.messages.create(**{"model": MODEL, "messages": QUESTION, "max_tokens": 16, **fields})

        story = asyncio.create_task(ask(messages=STORY, max_tokens=4000))
        answers = await asyncio.gather(*(ask(extra_body=COLD) for _ in range(3)))
        story.cancel()
        assert all("Paris" in answer.content[0].text for answer in answers)
        with pytest.raises(asyncio.CancelledError):
            await story


def test_the_beta_endpoints_are_the_same(client):
    message = client.beta.messages.create(
        model=MODEL, messages=QUESTION, max_tokens=16, extra_body=COLD, betas=["interleaved-thinking-2025-05-14"]
    )
    assert "Paris" in message.content[0].text
    assert json.loads(message.to_json())["type"] == "message"
