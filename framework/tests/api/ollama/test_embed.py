import math
from array import array

import pytest

from camelid.services import embed as embed_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def embed(client, **fields):
    return await client.post("/api/embed", json={"model": "echo", **fields})


async def test_vectors_have_length_one(ollama):
    reply = await embed(ollama, input=["a", "b"])
    answer = reply.json()
    assert list(answer) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert [len(vector) for vector in answer["embeddings"]] == [260, 260]
    assert all(math.isclose(math.hypot(*vector), 1, rel_tol=1e-6) for vector in answer["embeddings"])
    assert answer["prompt_eval_count"] == 6
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


async def test_one_text_is_a_list_of_one(ollama):
    assert len((await embed(ollama, input="a")).json()["embeddings"]) == 1
    assert len((await embed(ollama, input=[""])).json()["embeddings"]) == 1


async def test_dimensions_cut_and_normalise_again(ollama):
    text = bytes(range(1, 100)).decode()
    vector = (await embed(ollama, input=text, dimensions=50)).json()["embeddings"][0]
    assert len(vector) == 50
    assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-6)
    assert len((await embed(ollama, input=text, dimensions=9999)).json()["embeddings"][0]) == 260


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": ""}, {"input": []}])
async def test_nothing_to_embed_loads_the_model(ollama, fields):
    assert (await embed(ollama, **fields)).content == b'{"model":"echo","embeddings":[]}'


async def test_many_texts(ollama):
    answer = (await embed(ollama, input=[f"text {number}" for number in range(64)])).json()
    assert len({array("f", vector).tobytes() for vector in answer["embeddings"]}) > 10
    assert len(answer["embeddings"]) == 64


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "missing request body"),
        ('{"input":"x"}', 404, "model '' not found"),
        ('{"model":"nope","input":"x"}', 404, 'model "nope" not found, try pulling it first'),
        ('{"model":"echo","input":1}', 400, "invalid input type"),
        ('{"model":"nope","input":1}', 400, "invalid input type"),
        ('{"model":"a b","input":1}', 400, "invalid model name"),
        ('{"input":1}', 404, "model '' not found"),
        ('{"model":"echo","input":["a",1]}', 400, "invalid input type"),
        (
            '{"model":"echo","input":"x","dimensions":"8"}',
            400,
            "json: cannot unmarshal string into Go struct field EmbedRequest.dimensions of type int",
        ),
        (
            '{"model":"echo","truncate":false,"input":"%s"}' % ("x" * 5000),
            400,
            "the input length exceeds the context length",
        ),
    ],
)
async def test_errors(ollama, body, status, error):
    reply = await ollama.post("/api/embed", content=body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})


async def test_the_older_endpoint(ollama):
    answer = (await ollama.post("/api/embeddings", json={"model": "echo", "prompt": "aab"})).json()
    assert list(answer) == ["embedding"]
    assert (answer["embedding"][ord("a")], answer["embedding"][ord("b")]) == (2, 1)
    empty = await ollama.post("/api/embeddings", json={"model": "echo", "prompt": ""})
    assert empty.content == b'{"embedding":[]}'


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ('{"prompt":"x"}', 400, "model is required"),
        ('{"model":"nope","prompt":"x"}', 404, 'model "nope" not found, try pulling it first'),
        ('{"model":"echo","prompt":"%s"}' % ("x" * 5000), 500, "the input length exceeds the context length"),
    ],
)
async def test_errors_of_the_older_endpoint(ollama, body, status, error):
    reply = await ollama.post("/api/embeddings", content=body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})


@pytest.mark.parametrize(("path", "status"), [("/api/embed", 400), ("/api/embeddings", 500)])
async def test_a_vector_that_is_not_finite_is_never_sent(ollama, monkeypatch, path, status):
    real = embed_service.read_vectors

    def broken(data, dimensions):
        return real(b"\0\0\xc0\x7f" + data[4:], dimensions)

    monkeypatch.setattr(embed_service, "read_vectors", broken)
    reply = await ollama.post(path, json={"model": "echo", "prompt": "x", "input": "x"})
    assert (reply.status_code, reply.json()) == (status, {"error": "embedding contains NaN or Inf values"})
