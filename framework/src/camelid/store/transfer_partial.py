"""A blob of which only parts are here yet, in a form that survives a kill: what came is never fetched again.

Beside the file lies a list of counts, one for each segment: how many bytes from its beginning are in the file. A count
is raised after the bytes were written, so that it is never too high after a kill. After a power failure it may be; the
digest tells, and then the blob is fetched from its beginning.
"""

import os
import secrets
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from camelid.contracts.registry import UNKNOWN_SIZE
from camelid.errors import DiskFullError
from camelid.store.durable import disk_errors, write_all
from camelid.store.file_lock import open_locked

__all__ = ("PREFIX", "Partial", "kept_bytes")

PREFIX: Final = ".partial-"
"""What the files' names begin with; no blob's name does."""
_COUNTS: Final = ".counts"
_MAGIC: Final = b"camelid1"
_HEAD: Final = struct.Struct("<8sQQ")
_COUNT: Final = struct.Struct("<Q")
_READ_AT_ONCE: Final = 1 << 16
_ENDLESS: Final = 1 << 62
"""The size of what has no known one, until its end has come."""
_RESERVE: Final = 1 << 30
"""Bytes of the disk that such a file leaves free."""
_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Partial:
    """The file and its counts. One writer for each segment at a time; otherwise safe to use from any thread."""

    def __init__(self, folder: Path, key: str, size: int, segment: int) -> None:
        """Go on with what is there, or begin.

        While another process fetches the same blob, a file of one's own is used.

        Args:
            folder: of the blobs.
            key: what is gone on with has the same (`camelid.store.transfer_key`).
            size: bytes of the whole blob; of `UNKNOWN_SIZE` nothing is gone on with.
            segment: bytes of a segment, if this is a beginning.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        self._grows = size == UNKNOWN_SIZE
        self.size = _ENDLESS if self._grows else size
        self._lock = Lock()
        self.path = _path(folder, key)
        """The file."""
        self._alone = False
        with disk_errors(self.path):
            counts_file = open_locked(_counts_path(self.path))
            if counts_file is None:
                self._alone = True
                self.path = self.path.with_name(f"{self.path.name}-{secrets.token_hex(4)}")
                counts_file = os.open(_counts_path(self.path), _OPEN, 0o644)
            self._counts_file = counts_file
            try:
                self._file = os.open(self.path, _OPEN, 0o644)
            except BaseException:
                os.close(counts_file)
                raise
        try:
            with disk_errors(self.path):
                known = self._read_counts()
            if known is None:
                self.reset(segment)
            else:
                self.segment, self._counts = known
        except BaseException:
            self.close(keep=not self._alone)
            raise

    def reset(self, segment: int) -> None:
        """Forget all bytes.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        self.size = _ENDLESS if self._grows else self.size
        self.segment = self.size if self._grows else max(1, segment)
        self._counts = [0] * -(-self.size // self.segment)
        head = _HEAD.pack(_MAGIC, self.size, self.segment)
        with disk_errors(self.path):
            os.ftruncate(self._counts_file, 0)
            _write_at(self._counts_file, head + bytes(_COUNT.size * len(self._counts)), 0, self._lock)
            os.ftruncate(self._file, 0)
            os.ftruncate(self._file, 0 if self._grows else self.size)

    def end(self) -> bool:
        """What is here is the whole blob; False, and nothing is done, unless nobody knew its size."""
        if not self._grows:
            return False
        self.size = self.completed
        return True

    @property
    def completed(self) -> int:
        """Bytes that are here."""
        return sum(self._counts)

    @property
    def missing(self) -> list[int]:
        """The segments that are not whole, in order."""
        return [index for index, count in enumerate(self._counts) if count < self._length(index)]

    @property
    def frontier(self) -> int:
        """Bytes from the blob's beginning without a gap."""
        end = 0
        for index, count in enumerate(self._counts):
            end += count
            if count < self._length(index):
                break
        return end

    def rest(self, index: int) -> tuple[int, int]:
        """Where in the blob the rest of a segment begins, and its bytes."""
        return index * self.segment + self._counts[index], self._length(index) - self._counts[index]

    def write(self, index: int, chunk: bytes | memoryview) -> None:
        """Append to what is here of a segment; no more than its rest.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        if self._grows:
            self._leave_room()
        offset, _rest = self.rest(index)
        with disk_errors(self.path):
            _write_at(self._file, chunk, offset, self._lock)
            count = self._counts[index] + len(chunk)
            _write_at(self._counts_file, _COUNT.pack(count), _HEAD.size + _COUNT.size * index, self._lock)
        self._counts[index] = count

    def _leave_room(self) -> None:
        """See that what has no end does not fill the disk, which others need."""
        with disk_errors(self.path):
            free = shutil.disk_usage(self.path.parent).free
        if free < _RESERVE:
            raise DiskFullError(
                f"not enough space for a file of unknown length: {self.completed / 1e9:.1f} GB of it came, and "
                f"{free / 1e9:.1f} GB are free; remove models, or let OLLAMA_MODELS name a folder on a larger disk",
                reason=f"{_RESERVE} bytes must stay free in {self.path.parent}",
            )

    def read(self, begin: int, end: int, buffer: bytearray) -> Iterator[memoryview]:
        """The bytes from `begin` to `end`, through `buffer`: each piece is valid until the next.

        Raises:
            StoreError: the system refused.
        """
        view = memoryview(buffer)
        with disk_errors(self.path), self.path.open("rb", buffering=0) as file:
            file.seek(begin)
            while begin < end:
                count = file.readinto(view[: min(len(view), end - begin)])
                if not count:
                    raise OSError(f"the file ends at {begin} of {end} bytes")
                begin += count
                yield view[:count]

    def close(self, *, keep: bool = True) -> None:
        """Leave it for a later try; or, with `keep` false or where no later try would find it, remove what is left."""
        if keep and not self._alone and not self._grows:
            self._close()
            return
        if sys.platform == "win32":
            self._close()
        for path in (self.path, _counts_path(self.path)):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self._close()

    def sync(self) -> None:
        """See that what is here stays, whatever happens to the machine; from any thread.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        with disk_errors(self.path):
            try:
                os.fsync(self._file)
            except OSError:
                # What could not be written counts as written from now on, and would be found right in memory: whoever
                # hashes it again must read it from the disk.
                _forget_pages(self._file)
                raise

    def finish(self) -> None:
        """All bytes are here: see that they stay, and let go of the file so that it may be renamed.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        self.sync()
        with disk_errors(self.path):
            file, self._file = self._file, -1  # not even one whose close fails is closed twice
            os.close(file)

    def _close(self) -> None:
        open_files, self._file, self._counts_file = (self._file, self._counts_file), -1, -1
        for descriptor in open_files:
            if descriptor >= 0:
                os.close(descriptor)

    def _length(self, index: int) -> int:
        return min(self.segment, self.size - index * self.segment)

    def _read_counts(self) -> tuple[int, list[int]] | None:
        """Segment and counts of an earlier try; None if there was none, or for another size."""
        content = _read_all(self._counts_file)
        if len(content) < _HEAD.size or os.fstat(self._file).st_size != self.size:
            return None
        magic, size, segment = _HEAD.unpack_from(content)
        if magic != _MAGIC or size != self.size or segment < 1:
            return None
        number = -(-size // segment)
        if len(content) != _HEAD.size + _COUNT.size * number:
            return None
        counts = [count for (count,) in _COUNT.iter_unpack(content[_HEAD.size :])]
        lengths = (min(segment, size - index * segment) for index in range(number))
        return (segment, counts) if all(map(int.__le__, counts, lengths)) else None


def kept_bytes(folder: Path, key: str) -> int:
    """Bytes on the disk that an earlier try left of a blob."""
    try:
        status = _path(folder, key).lstat()
    except OSError:
        return 0
    return min(status.st_size, getattr(status, "st_blocks", 0) * 512)


def _read_all(descriptor: int) -> bytes:
    """A small file, through the descriptor that holds its lock: on some shares nobody else may read it."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return b"".join(iter(lambda: os.read(descriptor, _READ_AT_ONCE), b""))


def _forget_pages(descriptor: int) -> None:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _path(folder: Path, key: str) -> Path:
    return folder / f"{PREFIX}{key.partition(':')[2]}"


def _counts_path(path: Path) -> Path:
    return path.with_name(path.name + _COUNTS)


if sys.platform == "win32":

    def _write_at(descriptor: int, content: bytes | memoryview, offset: int, lock: Lock) -> None:
        with lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            write_all(descriptor, content)

else:

    def _write_at(descriptor: int, content: bytes | memoryview, offset: int, lock: Lock) -> None:  # noqa: ARG001 - Windows
        rest = memoryview(content)
        while rest:
            written = os.pwrite(descriptor, rest, offset)
            rest, offset = rest[written:], offset + written
