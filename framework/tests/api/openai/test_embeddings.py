from array import array
from base64 import b64decode

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def embed(ollama):
    async def send(value, **fields):
        return await ollama.post("/v1/embeddings", json={"model": "echo", "input": value, **fields})

    return send


async def vectors(reply):
    assert reply.status_code == 200, reply.text
    return [entry["embedding"] for entry in reply.json()["data"]]


async def test_texts(ollama, embed):
    reply = await embed(["one", "two"])
    assert reply.headers["content-type"] == "application/json"
    answer = reply.json()
    assert list(answer) == ["object", "data", "model", "usage"]
    assert [(entry["object"], entry["index"]) for entry in answer["data"]] == [("embedding", 0), ("embedding", 1)]
    other = (await ollama.post("/api/embed", json={"model": "echo", "input": ["one", "two"]})).json()
    assert [entry["embedding"] for entry in answer["data"]] == other["embeddings"]
    assert answer["usage"] == dict.fromkeys(("prompt_tokens", "total_tokens"), other["prompt_eval_count"])


async def test_one_text_and_its_tokens_are_the_same(ollama, embed):
    body = {"model": "echo", "content": "one", "add_special": True, "parse_special": False}
    ids = (await ollama.post("/api/tokenize", json=body)).json()["tokens"]
    alone = await vectors(await embed("one"))
    assert await vectors(await embed(ids)) == alone
    assert await vectors(await embed([ids, "one", ids])) == alone * 3


async def test_base64_is_32_bit_floats(embed):
    (text,) = await vectors(await embed("one", encoding_format="base64"))
    (numbers,) = await vectors(await embed("one", encoding_format="float"))
    assert array("f", b64decode(text)) == array("f", numbers)


async def test_dimensions(embed):
    (vector,) = await vectors(await embed("one", dimensions=110))
    assert len(vector) == 110
    assert sum(number**2 for number in vector) == pytest.approx(1)


async def test_an_empty_text_is_a_text(embed):
    assert len(await vectors(await embed(""))) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": None}, "invalid input"),
        ({"value": []}, "invalid input"),
        ({"value": 1}, "invalid input type"),
        ({"value": [[]]}, "invalid input type"),
        ({"value": ["a", 1]}, "invalid input type"),
        ({"value": [1 << 40]}, "invalid input type"),
        ({"value": [999_999]}, "token 999999 is not in this model's vocabulary"),
        ({"value": "a", "dimensions": -1}, "dimensions must not be negative"),
        (
            {"value": "a", "encoding_format": "x"},
            "Invalid value for 'encoding_format' = x. Supported values: ['float', 'base64'].",
        ),
    ],
    ids=str,
)
async def test_what_cannot_be_embedded(embed, fields, message):
    reply = await embed(**fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(message)


async def test_an_unknown_model(embed):
    reply = await embed("a", model="nope")
    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "not_found_error"
    assert 'model "nope" not found' in reply.json()["error"]["message"]
