"""Servers on real sockets, for tests that look at what is on the wire."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
import pytest_asyncio
import uvicorn
from blockbuster import BlockBusterFunction, blockbuster_ctx

from camelid.api import base64_files
from camelid.api.server import serve as serve_settings
from camelid.settings import Settings

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[None]:
    """A blocking call of our code inside the event loop fails the test; so does decoding a large file at once."""
    decoding = BlockBusterFunction(
        base64_files, "b64decode", can_block_predicate=lambda text, **_: len(text) <= base64_files._AT_ONCE + 4
    )
    with blockbuster_ctx("camelid"):
        decoding.activate()
        try:
            yield
        finally:
            decoding.deactivate()


@pytest.fixture
def serve() -> Serve:
    """Serves an ASGI application; gives a client of it, whose `base_url` has the port."""

    @asynccontextmanager
    async def serving(app, *, grace: int | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Serve `app`; with `grace` the server is asked to end and waited for, else it is just dropped."""
        with socket.create_server(("127.0.0.1", 0)) as sock:
            server = _Server(
                uvicorn.Config(app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=grace)
            )
            task = asyncio.create_task(server._serve(sockets=[sock]))
            await server.ready.wait()
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=url, timeout=20, verify=False, trust_env=False) as client:
                yield client
            if grace is None:
                task.cancel()
                for listener in server.servers:
                    listener.close()
            server.should_exit = True
            await asyncio.wait([task])

    return serving


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The real server, and a client of it."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve_settings(settings, on_ready=ready.set_result))
    await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            task.result()
        async with httpx.AsyncClient(base_url=await ready, timeout=30, verify=False, trust_env=False) as client:
            yield client
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def run_server() -> Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]:
    """Runs the real server with given settings; gives a client of it."""
    return running_server


@pytest.fixture(scope="module")
def more_settings() -> dict[str, object]:
    """What a module wants its server to have beside the usual; override it there."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ollama(tmp_path_factory, more_settings) -> AsyncIterator[httpx.AsyncClient]:
    """One real server for a whole module, with the model `camelid/echo`, which says what it was told.

    Tests that use it say `pytestmark = pytest.mark.asyncio(loop_scope="module")`.
    """
    folder = tmp_path_factory.mktemp("models")
    settings = Settings(
        models=folder,
        host="127.0.0.1:0",
        placement="in-process",
        disabled_plugins=("huggingface", "ollama-registry", "web"),  # no test asks another machine
        **more_settings,
    )
    async with running_server(settings) as client:
        (await client.post("/api/pull", json={"model": "camelid/echo", "stream": False})).raise_for_status()
        (await client.post("/api/copy", json={"source": "camelid/echo", "destination": "echo"})).raise_for_status()
        yield client
