"""The body of an HTTP answer as a file to read from."""

from collections.abc import Iterator
from io import RawIOBase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ("ResponseBody",)


class ResponseBody(RawIOBase):
    """Reads what has come, without waiting for more than that."""

    def __init__(self, chunks: Iterator[bytes], failures: tuple[type[Exception], ...]) -> None:
        """Bind.

        Args:
            chunks: of the body.
            failures: what iterating raises when the connection breaks; it becomes an `OSError`.
        """
        self._chunks = chunks
        self._failures = failures
        self._rest = memoryview(b"")

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
        while not self._rest and size:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return b""
            except self._failures as error:
                raise OSError(f"{type(error).__name__}: {error}") from error
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def readinto(self, buffer: "Buffer", /) -> int:
        """As `read`, into a buffer."""
        view = memoryview(buffer).cast("B")
        taken = self.read(len(view))
        view[: len(taken)] = taken
        return len(taken)
