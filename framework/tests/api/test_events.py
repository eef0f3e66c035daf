import asyncio

import pytest
from litestar import Litestar, post
from litestar.types import ASGIApp

from camelid.api.encoding import encode
from camelid.api.errors import EXCEPTION_HANDLERS, error_text, exception_handlers
from camelid.api.events import EventStream, event
from camelid.api.request import ApiRequest
from camelid.errors import ModelNotFoundError, WorkerDiedError


def envelope(error: Exception) -> dict[str, object]:
    return {"error": {"message": error_text(error)}}


def app_of(events) -> Litestar:
    @post("/", exception_handlers=exception_handlers(envelope))
    async def handler(request: ApiRequest) -> ASGIApp:
        await request.body()
        return EventStream(
            events(),
            failed=lambda error: event(encode(envelope(error)), "error"),
            headers=((b"cache-control", b"no-cache"),),
        )

    return Litestar([handler], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None, logging_config=None)


def test_an_event_has_a_name_where_it_needs_one():
    assert event(b"{}") == b"data: {}\n\n"
    assert event(b"{}", "ping") == b"event: ping\ndata: {}\n\n"


async def test_events_go_out_as_they_come(serve):
    released = asyncio.Event()

    async def events():
        yield event(b"1")
        await released.wait()
        yield b""
        yield event(b"2") + event(b"3")

    async with serve(app_of(events)) as client, client.stream("POST", "/") as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        assert reply.headers["cache-control"] == "no-cache"
        lines = reply.aiter_lines()
        assert await anext(lines) == "data: 1"
        released.set()
        assert [line async for line in lines if line] == ["data: 2", "data: 3"]


async def test_an_error_before_the_first_event_has_a_status_and_the_apis_envelope(serve):
    async def events():
        raise ModelNotFoundError("no such model")
        yield b""

    async with serve(app_of(events)) as client:
        reply = await client.post("/")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/json")
    assert reply.content == b'{"error":{"message":"no such model"}}\n'


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (WorkerDiedError("it died"), "it died"),
        (KeyError("secret"), "internal server error; the server's log says more"),
    ],
)
async def test_a_later_error_is_the_last_event(serve, error, told):
    async def events():
        yield event(b"1")
        raise error

    async with serve(app_of(events)) as client:
        reply = await client.post("/")
    assert reply.status_code == 200
    assert reply.text == f'data: 1\n\nevent: error\ndata: {{"error":{{"message":"{told}"}}}}\n\n'
