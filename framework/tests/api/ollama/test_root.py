import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_server_says_that_it_is_there(ollama):
    reply, head = await ollama.get("/"), await ollama.head("/")
    assert (reply.status_code, reply.content) == (200, b"Ollama is running")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "text/plain; charset=utf-8")


async def test_nothing_is_told_of_the_software(ollama):
    assert set((await ollama.get("/")).headers) == {"content-type", "content-length", "date"}


async def test_the_version_is_one_that_clients_accept(ollama):
    reply = await ollama.get("/api/version")
    assert tuple(map(int, reply.json()["version"].split("."))) >= (0, 13, 4)
    assert (await ollama.head("/api/version")).status_code == 200


async def test_health(ollama):
    answer = (await ollama.get("/api/health")).json()
    assert answer["status"] == "ok"
    assert list(answer) == ["status", "version", "models_loaded", "plugins_broken"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 404),
        ("POST", "/api/nothing", 404),
        ("HEAD", "/api/ps", 405),
        ("PUT", "/api/chat", 405),
        ("GET", "/api/generate", 405),
        ("GET", "/api/blobs/sha256:0", 405),
        ("GET", "/api/tags/", 301),
        ("POST", "/api/chat/", 307),
    ],
)
async def test_what_is_not_there(ollama, method, path, status):
    assert (await ollama.request(method, path)).status_code == status


async def test_foreign_pages_and_names_are_refused(ollama):
    assert (await ollama.get("/api/tags", headers={"Origin": "http://example.com"})).status_code == 403
    assert (await ollama.get("/api/tags", headers={"Host": "example.com"})).status_code == 403
