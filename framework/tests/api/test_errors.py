import logging

import pytest
from litestar import Litestar, Response, get

from camelid.api.errors import EXCEPTION_HANDLERS, PROGRESS_EXCEPTION_HANDLERS
from camelid.errors import (
    CamelidError,
    DiskFullError,
    HookError,
    InvalidOptionError,
    RequestCancelledError,
    RequestError,
    ServerBusyError,
)


def app_raising(error: Exception, **options) -> Litestar:
    @get("/", **options)
    async def handler() -> Response[bytes]:
        raise error

    return Litestar([handler], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None, logging_config=None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CamelidError("it broke"), 500),
        (InvalidOptionError("it broke"), 500),
        (ServerBusyError("it broke"), 503),
        (DiskFullError("it broke"), 507),
        (RequestCancelledError("it broke"), 499),
    ],
)
async def test_the_class_decides_the_status(serve, error, status):
    async with serve(app_raising(error)) as client:
        reply = await client.get("/")
    assert (reply.status_code, reply.content) == (status, b'{"error":"it broke"}')
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


async def test_reason_and_plugin_go_to_the_log_only(serve, caplog):
    error = HookError("the plugin failed", reason="segfault", plugin="camelid-bad")
    with caplog.at_level(logging.ERROR, "camelid"):
        async with serve(app_raising(error)) as client:
            reply = await client.get("/")
    assert reply.json() == {"error": "the plugin failed"}
    assert caplog.messages == ["answered 500: the plugin failed (plugin camelid-bad): segfault"]


@pytest.mark.parametrize("address", ["https://host/x.gguf?key=secret", "host/x.gguf?secret", "ftp://'host/?a=secret'"])
async def test_a_query_is_told_to_who_sent_it_and_not_to_the_log(serve, caplog, address):
    with caplog.at_level(logging.DEBUG, "camelid"):
        async with serve(app_raising(RequestError(f"model '{address}' not found", reason=address))) as client:
            reply = await client.get("/")
    assert "secret" in reply.text
    assert "secret" not in caplog.text
    assert "not found" in caplog.text


async def test_an_exception_is_logged_with_its_traceback_and_not_told(serve, caplog):
    with caplog.at_level(logging.ERROR, "camelid"):
        async with serve(app_raising(KeyError("secret"))) as client:
            reply = await client.get("/")
    assert reply.status_code == 500
    assert reply.json() == {"error": "internal server error; the server's log says more"}
    assert "Traceback" in caplog.text
    assert "KeyError: 'secret'" in caplog.text


async def test_errors_of_pull_and_create_name_no_character_set(serve):
    app = app_raising(ServerBusyError("later"), exception_handlers=PROGRESS_EXCEPTION_HANDLERS)
    async with serve(app) as client:
        reply = await client.get("/")
    assert reply.headers["content-type"] == "application/json"
