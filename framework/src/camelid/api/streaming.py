"""Newline-delimited JSON, a line for each item as soon as there is one (contract 1.3).

The hot path: one ASGI message for each line and nothing in between, because every microsecond here is taken from the
threads of the engine.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from camelid.api.disconnect import cancelled_when_gone
from camelid.api.encoding import encode
from camelid.api.errors import error_body, log_error
from camelid.errors import RequestCancelledError

__all__ = ("LineStream",)

_Item = TypeVar("_Item")

_START: HTTPResponseStartEvent = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/x-ndjson")],
}


class LineStream(Generic[_Item]):
    """An ASGI application that answers with the items of an iterator.

    The first item is awaited before the status is sent: an error until then is raised, and gets a status of its own.
    A later one becomes the last line. A client that leaves closes the iterator at once.
    """

    def __init__(self, items: AsyncGenerator[_Item, None], line: Callable[[_Item], bytes]) -> None:
        """Take over `items`: they are closed here, whatever happens.

        Args:
            items: what to send.
            line: an item as JSON, with a newline at its end.
        """
        self._items = items
        self._line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer as an ASGI application.

        Raises:
            CamelidError: before the status was sent.
        """
        line, started, last = self._line, False, b""
        try:
            async with aclosing(self._items) as items, cancelled_when_gone(receive):
                first = await anext(items, None)
                started = True
                await send(_START)
                if first is not None:
                    await send({"type": "http.response.body", "body": line(first), "more_body": True})
                async for item in items:
                    await send({"type": "http.response.body", "body": line(item), "more_body": True})
        except RequestCancelledError:
            if not started:
                raise
            return
        except Exception as error:
            if not started:
                raise
            # The status is sent; the last line is all that can still tell.
            log_error(error)
            last = encode(error_body(error)) + b"\n"
        await send({"type": "http.response.body", "body": last, "more_body": False})
