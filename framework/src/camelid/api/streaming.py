"""Streams: newline-delimited JSON, or what other APIs have in its place, piece by piece (contract 1.3).

The hot path: one ASGI message for each line and nothing in between, because every microsecond here is taken from the
threads of the engine.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Generic, TypeAlias, TypeVar

from litestar.types import HTTPResponseStartEvent, Receive, Scope, Send

from camelid.api.disconnect import cancelled_when_gone
from camelid.api.encoding import encode
from camelid.api.errors import error_body, log_error
from camelid.errors import RequestCancelledError

__all__ = ("LineStream", "Stream")

_Item = TypeVar("_Item")

_Header: TypeAlias = tuple[bytes, bytes]


class Stream(Generic[_Item]):
    """An ASGI application that answers with the items of an iterator, each as soon as there is one.

    The first item is awaited before the status is sent: an error until then is raised, and gets a status of its own.
    A later one becomes the end of the stream, or cuts it where its end could not tell. A client that leaves closes the
    iterator at once.
    """

    def __init__(
        self,
        items: AsyncGenerator[_Item, None],
        write: Callable[[_Item], bytes],
        *,
        headers: Sequence[_Header],
        failed: Callable[[Exception], bytes | None],
        status: int = 200,
    ) -> None:
        """Take over `items`: they are closed here, whatever happens.

        Args:
            items: what to send.
            write: an item as it goes over the wire.
            headers: of the answer.
            failed: how an error is told after the status was sent; None to close the connection in the middle of the
                answer, by which clients know that it is not whole.
            status: of the answer.
        """
        self._items = items
        self._write = write
        self._failed = failed
        self._start: HTTPResponseStartEvent = {"type": "http.response.start", "status": status, "headers": headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer as an ASGI application.

        Raises:
            CamelidError: before the status was sent.
        """
        write, started, last = self._write, False, b""
        try:
            async with aclosing(self._items) as items, cancelled_when_gone(receive):
                first = await anext(items, None)
                started = True
                await send(self._start)
                if first is not None:
                    await send({"type": "http.response.body", "body": write(first), "more_body": True})
                async for item in items:
                    await send({"type": "http.response.body", "body": write(item), "more_body": True})
        except RequestCancelledError:
            if not started:
                raise
            return
        except Exception as error:
            if not started:
                raise
            # The status is sent; the end of the stream is all that can still tell.
            log_error(error)
            told = self._failed(error)
            if told is None:  # of an application that returns too early uvicorn closes the connection
                return
            last = told
        await send({"type": "http.response.body", "body": last, "more_body": False})


class LineStream(Stream[_Item]):
    """A stream of newline-delimited JSON. Its last line may be an error."""

    def __init__(self, items: AsyncGenerator[_Item, None], line: Callable[[_Item], bytes]) -> None:
        """Take over `items`: they are closed here, whatever happens.

        Args:
            items: what to send.
            line: an item as JSON, with a newline at its end.
        """
        super().__init__(items, line, headers=[(b"content-type", b"application/x-ndjson")], failed=_error_line)


def _error_line(error: Exception) -> bytes:
    return encode(error_body(error)) + b"\n"
