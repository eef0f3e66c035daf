"""`format` over the socket. The echo model would say something else: what comes back is the grammar's doing."""

import asyncio
import json

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = {
    "$defs": {"color": {"enum": ["red", "green"]}},
    "type": "object",
    "properties": {
        "name": {"const": "Ada"},
        "nick": {"anyOf": [{"type": "null"}, {"const": "A"}]},
        "colors": {"type": "array", "items": {"$ref": "#/$defs/color"}, "minItems": 2, "maxItems": 2},
    },
    "required": ["name", "nick", "colors"],
    "additionalProperties": False,
}


async def generate(client, **fields):
    return await client.post("/api/generate", json={"model": "echo", "prompt": "no", "stream": False, **fields})


def check_person(text: str) -> None:
    person = json.loads(text)
    assert list(person) == ["name", "nick", "colors"]
    assert person["name"] == "Ada"
    assert person["nick"] in (None, "A")
    assert len(person["colors"]) == 2
    assert set(person["colors"]) <= {"red", "green"}


async def test_a_schema(ollama):
    for seed in range(3):
        reply = (await generate(ollama, format=PERSON, options={"temperature": 1.5, "seed": seed})).json()
        assert reply["done_reason"] == "stop"
        assert reply["eval_count"] == len(reply["response"].encode())
        check_person(reply["response"])


async def test_a_schema_in_a_stream(ollama):
    body = {"model": "echo", "messages": [{"role": "user", "content": "no"}], "format": PERSON}
    lines = [json.loads(line) for line in (await ollama.post("/api/chat", json=body)).text.splitlines()]
    check_person("".join(line["message"]["content"] for line in lines))
    assert lines[-1]["done_reason"] == "stop"


async def test_json(ollama):
    reply = (await generate(ollama, prompt='{"a": [1, "x"]}', format="json")).json()
    assert json.loads(reply["response"]) == {"a": [1, "x"]}


async def test_logprobs_of_forced_tokens(ollama):
    reply = (await generate(ollama, format={"const": "abc"}, logprobs=True)).json()
    assert "".join(entry["token"] for entry in reply["logprobs"]) == reply["response"] == '"abc"'


async def test_free_and_constrained_answers_side_by_side(ollama):
    replies = await asyncio.gather(
        *(generate(ollama, prompt="free", **({"format": PERSON} if number % 2 else {})) for number in range(8))
    )
    for number, reply in enumerate(replies):
        if number % 2:
            check_person(reply.json()["response"])
        else:
            assert reply.json()["response"] == "free"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strange"}, "Invalid type: strange"),
        ({"$ref": "#/$defs/none"}, "Pointer '/$defs/none' does not exist"),
        ({"type": "string", "pattern": "("}, "unclosed group"),
        ({"type": "array", "uniqueItems": True}, 'Unimplemented keys: ["uniqueItems"]'),
        ({"enum": []}, "anyOf is empty"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "nothing satisfies it"),
    ],
)
async def test_a_faulty_schema_is_named(ollama, schema, words):
    for stream in (False, True):
        reply = await generate(ollama, format=schema, stream=stream)
        assert reply.status_code == 400
        assert reply.json()["error"].startswith("invalid format: ")
        assert words in reply.json()["error"]


async def test_junk_is_named_as_ollama_does(ollama):
    reply = await generate(ollama, format="xml")
    assert reply.status_code == 500
    assert reply.json()["error"] == r'invalid format: "\"xml\""; expected "json" or a valid JSON Schema object'
