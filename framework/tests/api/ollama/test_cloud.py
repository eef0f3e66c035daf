import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_cloud_is_off(ollama):
    reply = await ollama.get("/api/status")
    assert reply.content == b'{"cloud":{"disabled":true,"source":"config"}}'
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(("path", "what"), [("web_search", "web search"), ("web_fetch", "web fetch")])
async def test_the_web_is_not_asked(ollama, path, what):
    reply = await ollama.post(f"/api/experimental/{path}", json={"query": "x", "url": "x"})
    assert (reply.status_code, reply.json()) == (403, {"error": f"ollama cloud is disabled: {what} is unavailable"})
    empty = await ollama.post(f"/api/experimental/{path}")
    assert (empty.status_code, empty.json()) == (400, {"error": "missing request body"})


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/generate", {"model": "x:cloud"}, 403, "ollama cloud is disabled: remote model is unavailable"),
        ("/api/chat", {"model": "x:7b-Cloud"}, 403, "ollama cloud is disabled: remote model is unavailable"),
        ("/api/show", {"model": "x:cloud"}, 403, "ollama cloud is disabled: remote model details are unavailable"),
        ("/api/chat", {"model": "x:cloud:local"}, 400, 'use either :local or :cloud, not both: "x:cloud:local"'),
        ("/api/generate", {"model": "x:local"}, 404, "model 'x:local' not found"),
    ],
)
async def test_names_of_models_in_the_cloud(ollama, path, body, status, error):
    reply = await ollama.post(path, json=body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})
