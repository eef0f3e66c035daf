import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from camelid.errors import RequestError
from camelid.services import remote_pictures
from camelid.services.remote_pictures import RemotePictures


@pytest.fixture
async def host() -> AsyncIterator[str]:
    """Serves a picture, redirects to it, to itself and to elsewhere, and far too much, or nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode() if b"\r\naccept-encoding: identity\r\n" in head.lower() else "/none"
        moved = {"/moved": "/picture", "/round": "/round", "/away": "http://elsewhere.invalid/picture"}.get(path)
        if moved:
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {moved}\r\nContent-Length: 0\r\n\r\n".encode())
        elif path == "/picture":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\npng")
        elif path == "/bomb":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(21 << 20)))
        elif path == "/large":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (21 << 20))
        elif path == "/slow":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await reader.read()
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("path", ["picture", "moved"])
async def test_a_picture_of_an_allowed_host(host, path):
    assert await RemotePictures([host]).load(f"http://{host}/{path}") == b"png"
    assert await RemotePictures(["127.0.0.1"]).load(f"http://{host}/{path}") == b"png"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "could not be loaded"),
        ("round", "is moved again and again"),
        ("away", "are not loaded from http://elsewhere.invalid/picture: add its host"),
        ("bomb", "could not be loaded"),
        ("large", "has more than 20971520 bytes"),
    ],
)
async def test_what_cannot_be_loaded(host, path, message):
    with pytest.raises(RequestError, match=message):
        await RemotePictures([host]).load(f"http://{host}/{path}")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2/picture",
        "http://allowed@127.0.0.2/picture",
        "http://allowed:80@127.0.0.2/picture",
        "file://allowed/etc/passwd",
        "http://allowed.example/",
        "http://[allowed/",
        "//allowed/",
    ],
)
async def test_other_hosts_are_not_asked(url):
    with pytest.raises(RequestError, match="are not loaded from"):
        await RemotePictures(["allowed"]).load(url)


async def test_without_the_setting_no_host_is():
    with pytest.raises(RequestError, match="image URLs are not currently supported, please use base64"):
        await RemotePictures([]).load("http://example.com/a.png")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("_MOST", 2, "a request may name at most 2 pictures by their addresses"),
        ("_LARGEST_SUM", 7, "the pictures that the request names have more than 7 bytes in all"),
    ],
)
async def test_what_all_pictures_of_a_request_may_be(host, monkeypatch, limit, value, message):
    monkeypatch.setattr(remote_pictures, limit, value)
    for _ in range(2):
        pictures = RemotePictures([host])
        assert [await pictures.load(f"http://{host}/picture") for _ in range(2)] == [b"png"] * 2
        with pytest.raises(RequestError, match=message):
            await pictures.load(f"http://{host}/picture")


async def test_the_pictures_of_a_request_share_its_time(host, monkeypatch):
    monkeypatch.setattr(remote_pictures, "_SECONDS", 0.05)
    pictures = RemotePictures([host])
    with pytest.raises(RequestError, match="could not be loaded"):
        await pictures.load(f"http://{host}/slow")
    with pytest.raises(RequestError, match="could not be loaded"):
        await pictures.load(f"http://{host}/picture")
