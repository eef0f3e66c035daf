"""Server-sent events, cut out of a stream of bytes."""

from typing import Final

__all__ = ("EventReader", "OversizedError")

_MOST_BYTES: Final = 1 << 20
"""Of one line: an event holds a few tokens."""


class OversizedError(ValueError):
    """A line has no end."""


class EventReader:
    """Keeps the line that is not complete yet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of all events that a piece of the stream completes. Each is one line, as in OpenAI's API.

        Raises:
            OversizedError: a line is too long to be kept.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _MOST_BYTES:
            raise OversizedError(f"a line of more than {_MOST_BYTES} bytes")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]
