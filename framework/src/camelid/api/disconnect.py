"""Stops work for a client that has left, or because the server ends (contract 1.9)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar.types import Receive

from camelid.errors import RequestCancelledError, ServerBusyError

__all__ = ("cancelled_when_gone",)


@asynccontextmanager
async def cancelled_when_gone(receive: Receive) -> AsyncIterator[None]:
    """Cancel what runs inside as soon as the client closes its connection.

    The request's body must have been read. Costs one sleeping task, and nothing for each chunk that is sent.

    Raises:
        RequestCancelledError: the client left.
        ServerBusyError: the server cancelled the request, because it ends.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a request is answered outside of a task")
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        task.uncancel()
        if gone:
            raise RequestCancelledError("request canceled", reason="the client left") from None
        raise ServerBusyError("the server is shutting down") from None
    finally:
        watcher.cancel()
