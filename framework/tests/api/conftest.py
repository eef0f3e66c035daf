"""Servers on real sockets, for tests that look at what is on the wire."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
import uvicorn
from blockbuster import blockbuster_ctx

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def _nothing_blocks() -> Iterator[None]:
    """A blocking call of our code inside the event loop fails the test."""
    with blockbuster_ctx("camelid"):
        yield


@pytest.fixture
def serve() -> Serve:
    """Serves an ASGI application; gives a client of it, whose `base_url` has the port."""

    @asynccontextmanager
    async def serving(app) -> AsyncIterator[httpx.AsyncClient]:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            task = asyncio.create_task(server._serve(sockets=[sock]))
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            while not server.started:
                await asyncio.sleep(0.005)
            async with httpx.AsyncClient(base_url=url, timeout=20, verify=False, trust_env=False) as client:
                yield client
            server.should_exit = True
            await task

    return serving
