"""Server-sent events: the streams below `/v1` (contract 1.3, 9, 10)."""

from collections.abc import AsyncGenerator, Callable

from camelid.api.streaming import Stream

__all__ = ("EventStream", "event")


def event(data: bytes, name: str = "") -> bytes:
    """One event.

    Args:
        data: without line breaks, as all encoded JSON is.
        name: its type, for APIs that name theirs.
    """
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data


class EventStream(Stream[bytes]):
    """A stream of events that its iterator has written already: none, one or several at a time."""

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        failed: Callable[[Exception], bytes],
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Take over `events`: they are closed here, whatever happens.

        Args:
            events: whole ones.
            failed: the last events of a stream that an error ends.
            headers: beside the content type.
        """
        super().__init__(events, bytes, headers=[(b"content-type", b"text/event-stream"), *headers], failed=failed)
