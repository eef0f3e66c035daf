import asyncio
import json
import logging

import pytest
from litestar import Litestar, Response, post
from litestar.types import ASGIApp

from camelid.api.disconnect import cancelled_when_gone
from camelid.api.encoding import encode
from camelid.api.errors import EXCEPTION_HANDLERS
from camelid.api.request import ApiRequest
from camelid.api.streaming import LineStream
from camelid.errors import ModelNotFoundError, WorkerDiedError


def line(item: object) -> bytes:
    return encode(item) + b"\n"


def app_of(items) -> Litestar:
    """Answers every POST with what `items` makes."""

    @post("/")
    async def handler(request: ApiRequest) -> ASGIApp:
        await request.body()
        return LineStream(items(), line)

    return Litestar([handler], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None, logging_config=None)


class Source:
    """Items whose end can be waited for."""

    def __init__(self, *, first: bool = True) -> None:
        self.first = first
        self.started = asyncio.Event()
        self.closed = asyncio.Event()

    async def __call__(self):
        try:
            self.started.set()
            if self.first:
                yield {"n": 0}
            await asyncio.Event().wait()
        finally:
            self.closed.set()


async def open_request(client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
    return reader, writer


async def test_every_item_is_a_line_with_gos_escapes(serve):
    async def items():
        yield {"text": "<&>"}
        yield {"done": True}

    async with serve(app_of(items)) as client:
        reply = await client.post("/")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.content == b'{"text":"\\u003c\\u0026\\u003e"}\n{"done":true}\n'


async def test_a_line_is_sent_before_the_next_one_exists(serve):
    released = asyncio.Event()

    async def items():
        yield 1
        await released.wait()
        yield 2

    async with serve(app_of(items)) as client, client.stream("POST", "/") as reply:
        lines = reply.aiter_lines()
        assert await anext(lines) == "1"
        released.set()
        assert await anext(lines) == "2"


async def test_no_items_are_an_empty_stream(serve):
    async def items():
        return
        yield

    async with serve(app_of(items)) as client:
        reply = await client.post("/")
    assert (reply.status_code, reply.content) == (200, b"")


async def test_an_error_before_the_first_item_has_its_own_status(serve):
    async def items():
        raise ModelNotFoundError("model 'x' not found")
        yield

    async with serve(app_of(items)) as client:
        reply = await client.post("/")
    assert reply.status_code == 404
    assert reply.content == b"""{"error":"model 'x' not found"}"""
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


async def test_an_error_after_the_first_item_is_the_last_line(serve):
    async def items():
        yield {"n": 0}
        raise WorkerDiedError("the worker died", reason="signal 11")

    async with serve(app_of(items)) as client:
        reply = await client.post("/")
    assert reply.status_code == 200
    assert [json.loads(text) for text in reply.text.splitlines()] == [{"n": 0}, {"error": "the worker died"}]


@pytest.mark.parametrize("before", [True, False])
async def test_an_unexpected_exception_is_logged_and_not_told(serve, caplog, before):
    async def items():
        if not before:
            yield {"n": 0}
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR, "camelid"):
        async with serve(app_of(items)) as client:
            reply = await client.post("/")
    assert reply.status_code == (500 if before else 200)
    assert json.loads(reply.text.splitlines()[-1]) == {"error": "internal server error; the server's log says more"}
    assert "secret" not in reply.text
    assert "ZeroDivisionError: secret" in caplog.text


async def test_a_client_that_leaves_closes_the_items(serve):
    source = Source()
    async with serve(app_of(source)) as client:
        reader, writer = await open_request(client)
        await reader.readuntil(b'{"n":0}\n')
        writer.close()
        await asyncio.wait_for(source.closed.wait(), 10)


async def test_a_client_that_leaves_before_the_first_item_closes_them_too(serve):
    source = Source(first=False)
    async with serve(app_of(source)) as client:
        _, writer = await open_request(client)
        await source.started.wait()
        writer.close()
        await asyncio.wait_for(source.closed.wait(), 10)


async def test_a_stream_that_is_open_when_the_server_ends_gets_a_last_line(serve):
    source = Source()
    async with serve(app_of(source), grace=1) as client:
        reader, writer = await open_request(client)
        await reader.readuntil(b'{"n":0}\n')
    assert source.closed.is_set()
    rest = await reader.read()
    assert b'{"error":"the server is shutting down"}\n' in rest
    assert rest.endswith(b"\r\n0\r\n\r\n")
    writer.close()


async def test_work_without_a_stream_stops_when_the_client_leaves(serve):
    started, stopped = asyncio.Event(), asyncio.Event()

    @post("/")
    async def handler(request: ApiRequest) -> Response[bytes]:
        await request.body()
        try:
            async with cancelled_when_gone(request.receive):
                started.set()
                await asyncio.Event().wait()
        finally:
            stopped.set()
        return Response(b"")

    app = Litestar([handler], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None, logging_config=None)
    async with serve(app) as client:
        _, writer = await open_request(client)
        await started.wait()
        writer.close()
        await asyncio.wait_for(stopped.wait(), 10)


async def test_a_connection_is_used_again_after_a_stream(serve):
    async def items():
        yield 1

    async with serve(app_of(items)) as client:
        reader, writer = await open_request(client)
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        assert b"200" in await reader.readline()
        writer.close()
