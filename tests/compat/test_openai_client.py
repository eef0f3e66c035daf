"""The official `openai` Python client against a real server with a real model."""

import asyncio
import json
from array import array
from base64 import b64decode
from typing import Literal

import httpx
import openai
import pydantic
import pytest

MODEL = "smollm2:135m"
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer with one word."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
TIME = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}},
}


@pytest.fixture(scope="module")
def client(server):
    # Nothing is tried again: a status that a client would repeat shall show.
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", timeout=100, max_retries=0) as client:
        yield client


@pytest.fixture
def ask(client):
    def send(messages=QUESTION, **fields):
        return client.chat.completions.create(
            **{"model": MODEL, "messages": messages, "temperature": 0, "max_completion_tokens": 24, **fields}
        )

    return send


def test_chat(ask):
    answer = ask()
    assert (answer.object, answer.model, answer.system_fingerprint) == ("chat.completion", MODEL, "fp_ollama")
    (choice,) = answer.choices
    assert "Paris" in choice.message.content
    assert (choice.message.role, choice.message.tool_calls, choice.finish_reason) == ("assistant", None, "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens > 10


def test_a_stream_says_the_same(ask):
    whole = ask(max_completion_tokens=6)
    *pieces, last = ask(stream=True, stream_options={"include_usage": True}, max_completion_tokens=6)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.choices[0].message.content
    assert [piece.choices[0].delta.role for piece in pieces] == ["assistant"] + [None] * (len(pieces) - 1)
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices[0].finish_reason] == ["length"]
    assert (last.choices, last.usage) == ([], whole.usage)


def test_the_clients_own_reader_of_streams(client):
    with client.chat.completions.stream(model=MODEL, messages=QUESTION, temperature=0, max_tokens=16) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert "Paris" in final.choices[0].message.content


def test_several_answers_to_one_seed_differ(ask):
    choices = ask(n=3, seed=5, temperature=1.5, max_completion_tokens=12).choices
    assert [choice.index for choice in choices] == [0, 1, 2]
    assert len({choice.message.content for choice in choices}) == 3


def test_stop_and_penalties_and_a_bias(server, ask):
    story = [{"role": "user", "content": "Count: one, two, three,"}]
    free = ask(story, max_completion_tokens=40).choices[0].message.content
    word = free.split()[2]
    stopped = ask(story, max_completion_tokens=40, stop=word).choices[0]
    assert stopped.finish_reason == "stop"
    assert free.startswith(stopped.message.content)
    assert word not in stopped.message.content
    other = ask(story, max_completion_tokens=40, frequency_penalty=2.0, presence_penalty=2.0)
    assert other.choices[0].message.content != free
    paris = server.post("/api/tokenize", model=MODEL, content=" Paris").json()["tokens"]
    banned = ask(logit_bias={str(token): -100 for token in paris}, logprobs=True, top_logprobs=1).choices[0]
    assert " Paris" not in [entry.token for entry in banned.logprobs.content]
    assert " Paris" in [entry.top_logprobs[0].token for entry in banned.logprobs.content]


def test_logprobs(ask):
    content = ask(logprobs=True, top_logprobs=3, max_completion_tokens=4).choices[0].logprobs.content
    for entry in content:
        assert bytes(entry.bytes).decode() == entry.token
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].logprob == entry.logprob <= 0
    pieces = ask(logprobs=True, max_completion_tokens=4, stream=True)
    streamed = [entry for piece in pieces if piece.choices[0].logprobs for entry in piece.choices[0].logprobs.content]
    assert [entry.token for entry in streamed] == [entry.token for entry in content]


def test_structured_output(client):
    class Country(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=20)
        capital: str = pydantic.Field(max_length=20)
        languages: list[Literal["French", "German"]] = pydantic.Field(min_length=1, max_length=2)

    messages = [{"role": "user", "content": "Tell me about France as JSON."}]
    for temperature in (0, 1.5):
        (choice,) = client.chat.completions.parse(
            model=MODEL, messages=messages, response_format=Country, temperature=temperature, seed=1, max_tokens=120
        ).choices
        assert choice.message.parsed.languages[0] in ("French", "German")


@pytest.mark.parametrize("stream", [True, False])
def test_an_agent_whose_calls_are_forced(client, stream):
    """The model has no tools in its template: only the grammar makes it call."""
    messages = [{"role": "user", "content": "What is the weather in Paris, in celsius?"}]

    def turn(**fields):
        given = {"model": MODEL, "messages": messages, "tools": [WEATHER, TIME], "temperature": 0, "max_tokens": 100}
        if not stream:
            return client.chat.completions.create(**given, **fields)
        with client.chat.completions.stream(**given, **fields) as events:
            return events.get_final_completion()

    (choice,) = turn(tool_choice={"type": "function", "function": {"name": "get_weather"}}).choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert arguments == {"city": "Paris", "unit": "celsius"}
    messages.append(choice.message.to_dict())
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees and sunny"})
    (choice,) = turn(tool_choice="none").choices
    assert choice.message.tool_calls is None
    assert "21" in choice.message.content


def test_a_required_call_is_one_of_the_tools(ask):
    for seed in range(3):
        (choice,) = ask(
            tools=[WEATHER, TIME],
            tool_choice="required",
            parallel_tool_calls=False,
            temperature=1.5,
            seed=seed,
            max_completion_tokens=200,
        ).choices
        (call,) = choice.message.tool_calls
        arguments = json.loads(call.function.arguments)
        assert (call.function.name, set(arguments)) in [("get_weather", {"city", "unit"}), ("get_time", set())]


def test_completions(client):
    answer = client.completions.create(model=MODEL, prompt=["Say hi.", "Say no."], temperature=0, max_tokens=5, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[0].text == answer.choices[1].text
    assert answer.usage.completion_tokens <= 20
    pieces = list(client.completions.create(model=MODEL, prompt="Say hi.", temperature=0, max_tokens=5, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces) == answer.choices[0].text
    best = client.completions.create(model=MODEL, prompt="Say hi.", best_of=2, max_tokens=5, logprobs=1, echo=False)
    assert len(best.choices[0].logprobs.tokens) == best.usage.completion_tokens // 2


def test_a_prompt_of_token_ids_is_continued_as_it_is(server, client):
    ids = server.post("/api/tokenize", model=MODEL, content="The capital of France is").json()["tokens"]
    answer = client.completions.create(model=MODEL, prompt=ids, temperature=0, max_tokens=4, echo=True)
    assert answer.usage.prompt_tokens == len(ids)
    assert answer.choices[0].text.startswith("The capital of France is Paris")


def test_embeddings(client):
    answer = client.embeddings.create(model=MODEL, input=["king", "queen"])
    first, second = (entry.embedding for entry in answer.data)
    assert len(first) == len(second) == 576
    assert sum(number**2 for number in first) == pytest.approx(1, abs=1e-4)
    raw = client.embeddings.create(model=MODEL, input=["king"], encoding_format="base64").data[0].embedding
    assert array("f", b64decode(raw)).tolist() == pytest.approx(first, abs=1e-6)
    assert len(client.embeddings.create(model=MODEL, input="king", dimensions=10).data[0].embedding) == 10


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert MODEL in names
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("some/nope:latest")


def test_the_client_takes_null_for_no_models():
    """What an empty store says (contract 9.5); exchange `v1-models-of-an-empty-store-are-null`."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"object": "list", "data": None}))
    with openai.OpenAI(api_key="unused", http_client=httpx.Client(transport=transport)) as client:
        assert list(client.models.list()) == []


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"model": "nope"}, openai.NotFoundError, "model 'nope' not found"),
        ({"messages": []}, openai.BadRequestError, "[] is too short - 'messages'"),
        ({"tools": [WEATHER]}, openai.BadRequestError, "does not support tools"),
        ({"reasoning_effort": "high"}, openai.BadRequestError, '"smollm2:135m" does not support thinking'),
        ({"temperature": "hot"}, openai.BadRequestError, "json: cannot unmarshal string"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [True, False])
def test_errors(ask, fields, kind, words, stream):
    with pytest.raises(kind) as failure:
        ask(stream=stream, **fields)
    assert words in failure.value.body["message"]
    assert failure.value.type in ("not_found_error", "invalid_request_error")


def test_a_worker_that_dies_ends_the_stream_with_an_error(server, ask):
    """The client raises what it reads in the stream."""
    stream = ask([{"role": "user", "content": "Tell me a long story."}], stream=True, max_completion_tokens=2000)
    next(stream)
    for worker in server.workers():
        worker.kill()
    with pytest.raises(openai.APIError, match="model runner has unexpectedly stopped"):
        for _ in stream:
            pass


async def test_a_stream_that_is_closed_frees_its_place(server):
    """With four places, eight abandoned answers without an end would block whoever comes next."""
    story = [{"role": "user", "content": "Tell me a very long story."}]
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:

        async def abandon() -> None:
            stream = await client.chat.completions.create(model=MODEL, messages=story, stream=True, n=2)
            await anext(aiter(stream))
            await stream.close()

        async with asyncio.timeout(60):
            await asyncio.gather(*(abandon() for _ in range(4)))
            answer = await client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=2)
    assert answer.usage.completion_tokens <= 2


def test_a_browsers_preflight_for_the_client(server):
    wanted = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,openai-project"
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": wanted,
    }
    reply = server.http.request("OPTIONS", "/v1/chat/completions", headers=headers)
    assert reply.status_code == 204
    allowed = reply.headers["access-control-allow-headers"].lower().split(",")
    assert set(wanted.split(",")) <= set(allowed)
    reply = server.http.get("/v1/models", headers={"Origin": "http://localhost:3000"})
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"
