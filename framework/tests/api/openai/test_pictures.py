"""Pictures in chats; the echo model says which file it sees."""

import asyncio
from base64 import b64encode
from hashlib import sha256

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

PICTURE = b"\x89PNG\r\n\x1a\none"
WORDS = f"[picture {sha256(PICTURE).hexdigest()[:8]}]"
TEMPLATE = "<|turn|>{{ range .Messages }}{{ .Content }}{{ end }}<|answer|>"


@pytest.fixture(scope="module")
def more_settings() -> dict[str, object]:
    return {"image_hosts": ("127.0.0.1",)}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def seeing(ollama):
    body = {"model": "seeing", "from": "echo", "template": TEMPLATE, "info": {"capabilities": ["vision"]}}
    (await ollama.post("/api/create", json={**body, "stream": False})).raise_for_status()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PICTURE), PICTURE))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/one.png"


async def said(ask, *parts):
    reply = await ask([{"type": "text", "text": "look"}, *parts], model="seeing")
    assert reply.status_code == 200, reply.text
    return reply.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/JPEG", ""])
async def test_a_data_url(ask, kind):
    url = f"data:{kind};base64,{b64encode(PICTURE).decode()}"
    assert await said(ask, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}) == f"{WORDS}look"
    assert await said(ask, {"type": "image_url", "image_url": url}) == f"{WORDS}look"


async def test_a_url_of_an_allowed_host(ask, address):
    part = {"type": "image_url", "image_url": {"url": address}}
    assert await said(ask, part, part) == f"{WORDS}{WORDS}look"


async def test_a_url_of_another_host(ask):
    reply = await ask([{"type": "image_url", "image_url": {"url": "http://10.0.0.1/x.png"}}], model="seeing")
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("pictures are not loaded from http://10.0.0.1/x.png: add its")
