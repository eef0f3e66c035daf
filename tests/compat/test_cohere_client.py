"""Reranking through the official `cohere` client, whose form other servers and clients share, with a tiny model."""

import asyncio
import hashlib
from collections.abc import Iterator

import cohere
import pytest

from camelid.testing.tiny_reranker import write_cross_encoder

RERANKER = "reranker"
QUERY = "Where did the cat sit?"
DOCUMENTS = ["The cat sat on the mat.", "Interest rates rose.", "A dog ran."]


@pytest.fixture(scope="module")
def server(server, tmp_path_factory):
    """The server of the file, with a reranker as converters write them."""
    content = write_cross_encoder(tmp_path_factory.mktemp("model") / "model.gguf", pooling=None).read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    server.http.post(f"/api/blobs/{digest}", content=content).raise_for_status()
    server.post("/api/create", model=RERANKER, files={"model.gguf": digest}, stream=False).raise_for_status()
    return server


@pytest.fixture(params=[cohere.Client, cohere.ClientV2], ids=["v1", "v2"])
def client(request, server) -> Iterator[cohere.Client | cohere.ClientV2]:
    client = request.param(api_key="unused", base_url=server.url, timeout=100)
    yield client
    client._client_wrapper.httpx_client.httpx_client.close()


def test_documents_by_their_relevance(client):
    answer = client.rerank(model=RERANKER, query=QUERY, documents=DOCUMENTS)
    assert sorted(result.index for result in answer.results) == [0, 1, 2]
    scores = [result.relevance_score for result in answer.results]
    assert 1 > scores[0] > scores[1] > scores[2] > 0
    best = client.rerank(model=RERANKER, query=QUERY, documents=DOCUMENTS, top_n=1)
    assert [result.index for result in best.results] == [answer.results[0].index]
    assert best.results[0].relevance_score == pytest.approx(scores[0], abs=0.01)


def test_documents_that_are_objects_come_back(server):
    with cohere.Client(api_key="unused", base_url=server.url) as client:
        documents = [{"text": text} for text in DOCUMENTS]
        answer = client.rerank(model=RERANKER, query=QUERY, documents=documents, return_documents=True)
    assert [result.document.text for result in answer.results] == [DOCUMENTS[result.index] for result in answer.results]


def test_errors(client):
    with pytest.raises(cohere.NotFoundError, match="model 'nope' not found"):
        client.rerank(model="nope", query=QUERY, documents=DOCUMENTS)
    with pytest.raises(cohere.BadRequestError, match="does not support reranking: it has no head that scores; use a"):
        client.rerank(model="smollm2:135m", query=QUERY, documents=DOCUMENTS)
    with pytest.raises(cohere.BadRequestError, match="top_n must be at least 1"):
        client.rerank(model=RERANKER, query=QUERY, documents=DOCUMENTS, top_n=0)


def test_a_reranker_does_nothing_else(server):
    assert server.post("/api/show", model=RERANKER).json()["capabilities"] == ["rerank"]
    for path, fields in (("embed", {"input": "x"}), ("generate", {"prompt": "x"}), ("chat", {"messages": []})):
        assert server.post(f"/api/{path}", model=RERANKER, **fields).status_code == 400


async def test_several_at_once_and_one_is_cancelled(server):
    async with cohere.AsyncClientV2(api_key="unused", base_url=server.url, timeout=100) as client:

        async def ask(*documents: str) -> list[float]:
            answer = await client.rerank(model=RERANKER, query=QUERY, documents=documents)
            return [result.relevance_score for result in answer.results]

        much = asyncio.create_task(ask(*[text * 50 for text in DOCUMENTS * 1000]))
        await asyncio.sleep(0.2)
        much.cancel()
        first, second = await asyncio.gather(ask(*DOCUMENTS), ask(*DOCUMENTS))
        assert first == pytest.approx(second, abs=0.01)
        with pytest.raises(asyncio.CancelledError):
            await much
