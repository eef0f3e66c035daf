"""The body of an HTTP answer as a file to read from."""

from collections.abc import Iterator
from io import RawIOBase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ("ResponseBody",)


class ResponseBody(RawIOBase):
    """Reads what has come, without waiting for more than that."""

    def __init__(self, chunks: Iterator[bytes], length: int | None, failures: tuple[type[Exception], ...]) -> None:
        """Bind.

        Args:
            chunks: of the body.
            length: its bytes, as the server said; None if it did not.
            failures: what iterating raises when the connection breaks; it becomes an `OSError`.
        """
        self._chunks = chunks
        self._expected = length
        self._failures = failures
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, at most `size`; none at the end. Without a size, all of them.

        Raises:
            OSError: the connection broke, or the body is shorter than the server said.
        """
        if size < 0:
            return self.readall()
        while not self._chunk and size:
            chunk = self._next()
            if chunk is None:
                return b""
            self._chunk = memoryview(chunk)
        taken, self._chunk = self._chunk[:size], self._chunk[size:]
        if self._expected is not None:
            self._expected -= len(taken)
            if self._expected == 0 and not self._chunk:
                # Only a body that was read to its end leaves a connection that the next request can use.
                self._chunk = memoryview(self._next() or b"")
        return bytes(taken)

    def readinto(self, buffer: "Buffer", /) -> int:
        """As `read`, into a buffer."""
        view = memoryview(buffer).cast("B")
        taken = self.read(len(view))
        view[: len(taken)] = taken
        return len(taken)

    def _next(self) -> bytes | None:
        try:
            return next(self._chunks, None)
        except self._failures as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
