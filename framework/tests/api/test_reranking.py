import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTS = ["ab", {"text": "abcd", "title": "x"}, ""]
PATHS = ["/api/rerank", "/v1/rerank", "/v2/rerank", "/rerank"]


@pytest.fixture
def rerank(ollama):
    async def send(path="/v1/rerank", **fields):
        body = {"model": "echo", "query": "abcd", "documents": DOCUMENTS, **fields}
        return await ollama.post(path, json=body)

    return send


@pytest.mark.parametrize("path", PATHS)
async def test_documents_by_their_relevance(rerank, path):
    reply = await rerank(path)
    assert reply.status_code == 200, reply.text
    assert reply.json()["results"] == [
        {"index": 1, "relevance_score": 1.0, "document": {"text": "abcd"}},
        {"index": 0, "relevance_score": 0.5, "document": {"text": "ab"}},
        {"index": 2, "relevance_score": 0.0, "document": {"text": ""}},
    ]


async def test_what_stands_around_the_results(rerank):
    reply = await rerank()
    answer = reply.json()
    assert list(answer) == ["id", "object", "model", "results", "usage"]
    assert (answer["object"], answer["model"]) == ("list", "echo")
    assert answer["usage"] == {"prompt_tokens": 15 + 6, "total_tokens": 15 + 6}
    answer = (await rerank("/api/rerank")).json()
    assert list(answer) == ["model", "results", "total_duration", "load_duration", "prompt_eval_count"]
    assert answer["prompt_eval_count"] == 15 + 6


@pytest.mark.parametrize("path", PATHS)
async def test_less_of_it(rerank, path):
    results = (await rerank(path, top_n=1, return_documents=False)).json()["results"]
    assert results == [{"index": 1, "relevance_score": 1.0}]
    assert len((await rerank(path, top_n=None)).json()["results"]) == 3


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"model": ""}, 400, "model is required"),
        ({"model": "nope"}, 404, "model 'nope' not found"),
        ({"documents": []}, 400, "documents must hold at least one text"),
        ({"documents": [1]}, 400, "documents must be texts, or objects with a text"),
        ({"documents": [{"title": "a"}]}, 400, "documents must be texts, or objects with a text"),
        ({"documents": ["a" * 9000], "truncate": False}, 400, "a document is longer than the context allows"),
        ({"top_n": -1}, 400, "top_n must be at least 1"),
        ({"query": ["a"]}, 400, "json: cannot unmarshal array into Go struct field RerankRequest.query"),
    ],
    ids=str,
)
async def test_errors(rerank, fields, status, message):
    reply = await rerank(**fields)
    assert reply.status_code == status
    assert reply.json()["error"]["message"].startswith(message)
    reply = await rerank("/api/rerank", **fields)
    assert reply.status_code == status
    assert reply.json()["error"].startswith(message)
