"""The official `ollama` Python client against a real server with a real model."""

import asyncio
import json

import ollama
import pytest

MODEL = "smollm2:135m"
QUESTION = "What is the capital of France? Answer with one word."


@pytest.fixture(scope="module")
def client(server):
    with ollama.Client(host=server.url, timeout=100) as client:
        yield client


def test_generate(client):
    answer = client.generate(MODEL, "Why is the sky blue?", options={"temperature": 0, "num_predict": 24})
    assert answer.model == MODEL
    assert answer.done
    assert answer.done_reason == "length"
    assert answer.eval_count == 24
    assert answer.prompt_eval_count > 5
    assert answer.context
    assert answer.total_duration >= answer.eval_duration > 0
    assert len(answer.response.split()) > 5


def test_generate_goes_on_from_a_context(client):
    options = {"temperature": 0, "num_predict": 16}
    first = client.generate(MODEL, "My name is Ada. Say hello.", options=options)
    second = client.generate(MODEL, "What is my name?", context=list(first.context), options=options)
    assert second.prompt_eval_count > len(first.context)
    assert list(second.context[: len(first.context)]) == list(first.context)


def test_chat(client):
    answer = client.chat(MODEL, [{"role": "user", "content": QUESTION}], options={"temperature": 0, "num_predict": 24})
    assert answer.message.role == "assistant"
    assert "Paris" in answer.message.content


def test_chat_streams_the_same_text(client):
    messages = [{"role": "user", "content": QUESTION}]
    options = {"temperature": 0, "num_predict": 24}
    whole = client.chat(MODEL, messages, options=options)
    chunks = list(client.chat(MODEL, messages, options=options, stream=True))
    assert len(chunks) > 2
    assert "".join(chunk.message.content for chunk in chunks) == whole.message.content
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].eval_count == whole.eval_count
    assert all(chunk.eval_count is None for chunk in chunks[:-1])


def test_structured_output(client):
    schema = {
        "type": "object",
        "properties": {
            "country": {"type": "string", "maxLength": 20},
            "capital": {"$ref": "#/$defs/city"},
            "languages": {"type": "array", "items": {"enum": ["French", "German"]}, "minItems": 1, "maxItems": 2},
        },
        "required": ["country", "capital", "languages"],
        "additionalProperties": False,
        "$defs": {
            "city": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 20},
                    "rank": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 99}, {"type": "null"}]},
                },
                "required": ["name", "rank"],
                "additionalProperties": False,
            }
        },
    }
    question = {"role": "user", "content": "Tell me about France, its capital and its languages, as JSON."}
    for temperature in (0, 1.5):
        options = {"temperature": temperature, "seed": 1, "num_predict": 400}
        answer = client.chat(MODEL, [question], format=schema, options=options)
        assert answer.done_reason == "stop"
        said = json.loads(answer.message.content)
        assert list(said) == ["country", "capital", "languages"]
        assert isinstance(said["capital"]["name"], str)
        assert said["capital"]["rank"] is None or 1 <= said["capital"]["rank"] <= 99
        assert set(said["languages"]) <= {"French", "German"}


def test_json(client):
    prompt = 'Write this as JSON: name is Ada, age is 36. Like {"name": "...", "age": ...}'
    answer = client.generate(MODEL, prompt, format="json", options={"temperature": 0, "num_predict": 200})
    assert answer.done_reason == "stop"
    assert isinstance(json.loads(answer.response), dict)


def test_a_faulty_schema_is_an_error_of_the_clients(client):
    with pytest.raises(ollama.ResponseError) as caught:
        client.generate(MODEL, "Hi", format={"type": "object", "properties": {"a": {"type": "strin"}}})
    assert (caught.value.status_code, caught.value.error) == (400, "invalid format: Invalid type: strin")


async def test_async_chats_side_by_side(server):
    client = ollama.AsyncClient(host=server.url, timeout=100)
    words = ("apple", "river", "green", "house")

    async def repeat(word: str) -> str:
        message = {"role": "user", "content": f"Repeat this word many times: {word} {word} {word} {word} {word}"}
        stream = await client.chat(MODEL, [message], stream=True, options={"temperature": 0, "num_predict": 24})
        return "".join([chunk.message.content async for chunk in stream])

    answers = await asyncio.gather(*map(repeat, words))
    await client.close()
    for word, answer in zip(words, answers, strict=True):
        assert word in answer.lower()
        assert not any(other in answer.lower() for other in words if other != word)


async def test_who_cancels_a_stream_is_rid_of_it(server):
    client = ollama.AsyncClient(host=server.url, timeout=100)
    story = [{"role": "user", "content": "Tell me a very long story."}]
    begun = asyncio.Event()

    async def listen() -> None:
        async for chunk in await client.chat(MODEL, story, stream=True, options={"num_predict": 8000}):
            assert not chunk.done
            begun.set()

    listeners = [asyncio.create_task(listen()) for _ in range(4)]
    await begun.wait()
    for listener in listeners:
        listener.cancel()
    await asyncio.wait(listeners)
    assert all(listener.cancelled() for listener in listeners)
    # All four sequences of the model were taken, and would be for minutes.
    answer = await client.chat(MODEL, story, options={"num_predict": 2})
    assert answer.eval_count == 2
    await client.close()


def test_logprobs(client):
    answer = client.generate(MODEL, "Hi", logprobs=True, top_logprobs=3, options={"temperature": 0, "num_predict": 3})
    assert len(answer.logprobs) == 3
    first = answer.logprobs[0]
    assert first.token == first.top_logprobs[0].token
    assert [other.logprob for other in first.top_logprobs] == sorted(
        (other.logprob for other in first.top_logprobs), reverse=True
    )
    assert "".join(entry.token for entry in answer.logprobs) == answer.response


def test_raw_and_fill_in_the_middle(client):
    client.create("inserter", from_=MODEL, template="{{ .Prompt }}{{ if .Suffix }}<gap>{{ .Suffix }}{{ end }}")
    options = {"temperature": 0, "num_predict": 4}
    raw = client.generate("inserter", "def f(<gap>return 1", raw=True, options=options)
    assert raw.context is None
    assert client.generate("inserter", "def f(", suffix="return 1", options=options).response == raw.response
    with pytest.raises(ollama.ResponseError, match="does not support insert"):
        client.generate(MODEL, "def f(", suffix="return 1")
    client.delete("inserter")


def test_embed(client):
    texts = ["The cat sat on the mat.", "A cat was sitting on a mat.", "Interest rates rose by three percent."]
    answer = client.embed(MODEL, texts)
    cat, same, rates = answer.embeddings
    assert len(cat) == 576
    assert sum(x * x for x in cat) == pytest.approx(1, abs=1e-3)
    assert sum(a * b for a, b in zip(cat, same, strict=True)) > sum(a * b for a, b in zip(cat, rates, strict=True))
    assert answer.prompt_eval_count > 15
    single = client.embed(MODEL, texts[0])
    assert sum(a * b for a, b in zip(single.embeddings[0], cat, strict=True)) > 0.99
    assert client.embed(MODEL, texts[0], dimensions=8).embeddings[0][0] != 0


def test_legacy_embeddings(client):
    assert len(client.embeddings(MODEL, "The cat sat on the mat.").embedding) == 576


def test_list(client):
    (model,) = [model for model in client.list().models if model.model == MODEL]
    assert len(model.digest) == 64
    assert model.size > 90_000_000
    assert (model.details.format, model.details.family) == ("gguf", "llama")
    assert (model.details.parameter_size, model.details.quantization_level) == ("134.52M", "Q4_1")


def test_show(client):
    shown = client.show(MODEL)
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["llama.context_length"] == 8192
    assert "completion" in shown.capabilities
    assert "FROM " in shown.modelfile
    assert "<|im_start|>" in shown.template


def test_ps(client):
    client.generate(MODEL, "", keep_alive="10m")
    (model,) = client.ps().models
    assert model.model == MODEL
    assert model.size > 90_000_000
    assert model.size_vram == 0
    assert model.context_length == 4096
    assert model.expires_at.timestamp() > 0


def test_copy_and_delete(client):
    client.copy(MODEL, "duplicate:latest")
    assert "duplicate:latest" in {model.model for model in client.list().models}
    client.delete("duplicate:latest")
    assert "duplicate:latest" not in {model.model for model in client.list().models}
    assert client.generate(MODEL, "Hi", options={"num_predict": 1}).eval_count == 1


def test_create_from_a_model(client):
    created = client.create(
        "pirate",
        from_=MODEL,
        system="You are a pirate.",
        parameters={"temperature": 0, "num_predict": 8, "stop": ["\n"]},
        messages=[{"role": "user", "content": "Ahoy!"}, {"role": "assistant", "content": "Arr!"}],
        license="MIT",
    )
    assert created.status == "success"
    shown = client.show("pirate")
    assert "You are a pirate." in shown.modelfile
    assert "temperature" in shown.parameters
    assert client.chat("pirate", [{"role": "user", "content": "Who are you?"}]).eval_count <= 8
    client.delete("pirate")


def test_create_from_a_file(client, server, tmp_path):
    (blob,) = [path for path in (server.models / "blobs").iterdir() if path.stat().st_size > 90_000_000]
    digest = client.create_blob(blob)
    statuses = [progress.status for progress in client.create("raw", files={"model.gguf": digest}, stream=True)]
    assert statuses[-1] == "success"
    assert client.generate("raw", "Hi", options={"num_predict": 2}).eval_count == 2
    client.delete("raw")


def test_pull_reports_progress(client):
    client.delete(MODEL)
    steps = list(client.pull(MODEL, stream=True))
    statuses = [step.status for step in steps]
    assert statuses[0] == "pulling manifest"
    assert statuses[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    weights = [step for step in steps if step.total and step.total > 90_000_000]
    assert weights
    assert weights[-1].completed == weights[-1].total
    assert weights[-1].status == f"pulling {weights[-1].digest.removeprefix('sha256:')[:12]}"


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (lambda client: client.generate("nope", "x"), 404, "model 'nope' not found"),
        (lambda client: client.chat("nope", []), 404, "model 'nope' not found"),
        (lambda client: client.embed("nope", "x"), 404, 'model "nope" not found, try pulling it first'),
        (lambda client: client.show("nope"), 404, "model 'nope:latest' not found"),
        (lambda client: client.delete("nope"), 404, "model 'nope' not found"),
        (lambda client: client.copy("nope", "x"), 404, 'model "nope" not found'),
        (lambda client: client.generate("a//b", "x"), 400, "invalid model name"),
        (lambda client: client.chat(MODEL, [], think=True), 400, f'"{MODEL}" does not support thinking'),
    ],
)
def test_errors_have_a_status_and_a_sentence(client, call, status, words):
    with pytest.raises(ollama.ResponseError) as caught:
        call(client)
    assert (caught.value.status_code, caught.value.error) == (status, words)
