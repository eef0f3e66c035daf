import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("body", "words"),
    [("{}", "model is required"), ('{"model":""}', "model is required"), ('{"model":"a//b"}', "invalid model name")],
)
async def test_push_of_no_name(ollama, body, words):
    reply = await ollama.post("/api/push", content=body)
    assert (reply.status_code, reply.json()) == (400, {"error": words})


async def test_push_of_what_is_not_here(ollama):
    reply = await ollama.post("/api/push", json={"model": "me/nothing"})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson")
    assert reply.text.splitlines() == [
        '{"status":"retrieving manifest"}',
        '{"status":"couldn\'t retrieve manifest"}',
        '{"error":"model \'me/nothing:latest\' does not exist"}',
    ]
    quiet = await ollama.post("/api/push", json={"name": "me/nothing", "stream": False})
    assert (quiet.status_code, quiet.json()) == (500, {"error": "model 'me/nothing:latest' does not exist"})


async def test_push_where_no_registry_takes_models(ollama):
    reply = await ollama.post("/api/push", json={"model": "camelid/echo", "stream": False})
    assert reply.status_code == 500
    assert reply.json()["error"].startswith("no installed registry takes models for registry.ollama.ai")


async def test_plain_http_must_be_allowed(ollama):
    reply = await ollama.post("/api/push", json={"model": "http://localhost/a/b", "stream": False})
    assert (reply.status_code, reply.json()) == (500, {"error": "insecure protocol http"})
