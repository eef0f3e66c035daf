"""GET /openapi.json."""

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_document_is_served(ollama):
    reply = await ollama.get("/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    described = reply.json()
    assert described["openapi"] == "3.1.0"
    assert "/openapi.json" in described["paths"]
    assert (await ollama.get("/openapi.json")).content == reply.content


async def test_it_is_guarded_like_everything_else(ollama):
    assert (await ollama.get("/openapi.json", headers={"Host": "rebound.example"})).status_code == 403
    assert (await ollama.get("/openapi.json", headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await ollama.get("/docs")).status_code == 404
