"""Reading numbers and strings from a model file that may be damaged, or made to do damage."""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from camelid.errors import InvalidModelFileError, ModelLoadError

__all__ = ("BinaryFile", "opened")


class BinaryFile:
    """A file in memory, read from front to back; nothing beyond its end is believed."""

    def __init__(self, content: mmap.mmap | bytes, name: str) -> None:
        """Start at the beginning; `name` is for errors."""
        self._content = content
        self._name = name
        self.position = 0
        self.size = len(content)

    @property
    def rest(self) -> int:
        """Bytes that were not read."""
        return self.size - self.position

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            InvalidModelFileError: the file has not as many.
        """
        start = self.position
        self.skip(size)
        return self._content[start : self.position]

    def skip(self, size: int) -> None:
        """Step over bytes.

        Raises:
            InvalidModelFileError: the file has not as many.
        """
        if not 0 <= size <= self.rest:
            raise self.broken(f"it ends where {size} more bytes should be")
        self.position += size

    def align(self, boundary: int) -> None:
        """Step to the next multiple of `boundary`."""
        self.skip(-self.position % boundary)

    def number(self, code: str) -> int:
        """The next integer, little-endian; `code` is one of `struct`."""
        value: int = self.numbers(code, 1)[0]
        return value

    def numbers(self, code: str, count: int) -> tuple[int, ...]:
        """The next integers."""
        found: tuple[int, ...] = struct.unpack(f"<{count}{code}", self._raw(code, count))
        return found

    def decimal(self, code: str = "f") -> float:
        """The next floating-point number."""
        return self.decimals(code, 1)[0]

    def decimals(self, code: str, count: int) -> tuple[float, ...]:
        """The next floating-point numbers."""
        found: tuple[float, ...] = struct.unpack(f"<{count}{code}", self._raw(code, count))
        return found

    def _raw(self, code: str, count: int) -> bytes:
        return self.read(count * struct.calcsize(f"<{code}"))

    def text(self, code: str = "I") -> bytes:
        """The next string, whose length stands before it."""
        return self.read(self.number(code))

    def broken(self, reason: str) -> InvalidModelFileError:
        """The error to raise about this file."""
        return InvalidModelFileError(f"the file of {self._name} is damaged: {reason}", reason=f"at {self.position}")


class _Mapping:
    """A file mapped for the length of a context; an empty one cannot be mapped."""

    def __init__(self, path: Path, name: str) -> None:
        self._file = path.open("rb")
        self._map: mmap.mmap | None = None
        try:
            if path.stat().st_size:
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except BaseException:
            self._file.close()
            raise
        self.content = BinaryFile(self._map or b"", name)

    def __enter__(self) -> BinaryFile:
        return self.content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryFile]:
    """A model file for the length of the context; strings that were read from it are copies.

    Args:
        path: where it is.
        name: whose file it is, for errors: `model 'x'`.

    Raises:
        ModelLoadError: it cannot be opened.
    """
    try:
        mapping = _Mapping(path, name)
    except OSError as error:
        raise ModelLoadError(f"the file of {name} cannot be read", reason=str(error)) from error
    with mapping as content:
        yield content
