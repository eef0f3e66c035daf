"""The Responses API through the official `openai` Python client, against a real server with a real model."""

import json
import time

import openai
import pydantic
import pytest

MODEL = "smollm2:135m"
QUESTION = "What is the capital of France? Answer with one word."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Oslo"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.fixture(scope="module")
def client(server):
    # Nothing is tried again: a status that a client would repeat shall show.
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", timeout=100, max_retries=0) as client:
        yield client


@pytest.fixture
def ask(client):
    def send(given=QUESTION, **fields):
        return client.responses.create(
            **{"model": MODEL, "input": given, "temperature": 0, "max_output_tokens": 24, **fields}
        )

    return send


def test_a_response(ask):
    response = ask(instructions="Be brief.")
    assert (response.object, response.status, response.model) == ("response", "completed", MODEL)
    assert "Paris" in response.output_text
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_a_stream_says_the_same(client, ask):
    whole = ask()
    request = {"model": MODEL, "input": QUESTION, "temperature": 0, "max_output_tokens": 24}
    with client.responses.stream(**request) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text


def test_an_answer_that_is_cut_off(client, ask):
    response = ask("Tell me a very long story.", max_output_tokens=5)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    last = list(client.responses.create(model=MODEL, input="Tell me a story.", max_output_tokens=5, stream=True))[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")


def test_an_agents_loop(ask):
    given = [{"role": "user", "content": "How is the weather in Oslo?"}]
    asked = ask(given, tools=[WEATHER], tool_choice={"type": "function", "name": "get_weather"}, max_output_tokens=200)
    (call,) = asked.output
    assert (call.type, call.name, call.status) == ("function_call", "get_weather", "completed")
    assert json.loads(call.arguments)["city"] in ("Paris", "Oslo")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 20 degrees."}
    kept = ask([result], previous_response_id=asked.id, tools=[WEATHER], tool_choice="none")
    sent_again = ask([*given, *asked.output, result], tools=[WEATHER], tool_choice="none")
    assert kept.output_text == sent_again.output_text != ""
    assert kept.usage.input_tokens == sent_again.usage.input_tokens


class City(pydantic.BaseModel):
    name: str
    large: bool


def test_structured_text(client):
    response = client.responses.parse(
        model=MODEL, input=QUESTION, text_format=City, temperature=0, max_output_tokens=200
    )
    assert isinstance(response.output_parsed, City)


def test_a_forced_call_in_a_stream(client):
    one = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False}
    with client.responses.stream(model=MODEL, input="How is Oslo?", max_output_tokens=200, **one) as stream:
        kinds = {event.type for event in stream}
        (call,) = stream.get_final_response().output
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= kinds
    assert (call.type, call.name) == ("function_call", "get_weather")


def test_kept_responses(client, ask):
    response = ask()
    assert client.responses.retrieve(response.id).output_text == response.output_text
    (item,) = client.responses.input_items.list(response.id)
    assert item.content[0].text == QUESTION
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.NotFoundError):
        ask(previous_response_id=response.id)


def test_the_background(client, ask):
    response = ask(background=True)
    while response.status in ("queued", "in_progress"):
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    assert "Paris" in response.output_text
    story = ask("Tell me a very long story.", background=True, max_output_tokens=4000)
    assert client.responses.cancel(story.id).status == "cancelled"


def test_counting_tokens(client, ask):
    counted = client.responses.input_tokens.count(model=MODEL, input=QUESTION)
    assert counted.input_tokens == ask(max_output_tokens=1).usage.input_tokens


def test_errors(ask):
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        ask(model="nope")
    with pytest.raises(openai.BadRequestError, match="does not support tools"):
        ask(tools=[WEATHER])


def test_a_worker_that_dies_in_the_middle_is_told_in_the_stream(client, server):
    stream = client.responses.create(model=MODEL, input="Tell me a story.", max_output_tokens=4000, stream=True)
    seen = []
    for event in stream:
        seen.append(event)
        if len(seen) == 8:
            for worker in server.workers():
                worker.kill()
    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error.code == "server_error"
    assert "unexpectedly stopped" in seen[-1].response.error.message
