"""The content files of all models, named after their digest (contract 13.1).

A blob appears under its name only when it is complete, hashed and on the disk. Symbolic links are never followed.
"""

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from camelid.errors import BlobNotFoundError, DigestMismatchError, RequestError, StoreError
from camelid.store.digests import digest_of, parse_digest
from camelid.store.durable import NO_HARD_LINK, create_file, disk_errors, sync_folder, temporary_path, write_all
from camelid.store.leases import Leases

__all__ = ("CHUNK", "BlobStore", "BlobWriter")

CHUNK = 1 << 20
"""Bytes that are read, hashed and written at a time."""

_PREFIX = "sha256-"
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class BlobWriter:
    """A blob on its way in: a temporary file and the hash of what it holds so far."""

    def __init__(self, descriptor: int, temporary: Path, keep: Callable[[Path, str], None]) -> None:
        self._descriptor = descriptor
        self._temporary = temporary
        self._keep = keep
        self._hash = sha256()
        self._open = True
        self.size = 0
        """Bytes written so far."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append to the blob.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        with disk_errors(self._temporary):
            write_all(self._descriptor, chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def commit(self, expected: str = "") -> str:
        """Let the blob appear under its name.

        Args:
            expected: the digest it must have; empty if nobody knows.

        Returns:
            Its digest.

        Raises:
            DigestMismatchError: it has another one; it is dropped.
            DiskFullError: no room.
        """
        digest = f"sha256:{self._hash.hexdigest()}"
        if expected and digest != expected:
            raise _mismatch(expected, digest)
        with disk_errors(self._temporary):
            os.fsync(self._descriptor)
            self._close()
            self._keep(self._temporary, digest)
        return digest

    def abandon(self) -> None:
        """Drop what was not committed."""
        self._close()
        self._temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)


class BlobStore:
    """The folder `blobs`. Safe to use from several threads, and beside another server.

    A blob that was stored or touched is taken until a manifest names it or its owner releases it: `discard` spares it.
    Who makes a model says so with an `owner`, any object of its own; an upload, which is for nobody yet, has none, and
    is spared for an hour.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Absolute."""
        self.leases = Leases(folder)
        """What must stay in the folder, beside what manifests name."""

    def path(self, digest: str) -> Path:
        """Where the blob lies, or would lie.

        Raises:
            RequestError: `invalid digest format`.
        """
        return self.folder / parse_digest(digest).replace(":", "-")

    def has(self, digest: str) -> bool:
        """Whether the blob is here, complete.

        Raises:
            RequestError: `invalid digest format`.
        """
        return self._size(self.path(digest)) is not None

    def size(self, digest: str) -> int:
        """Its bytes.

        Raises:
            BlobNotFoundError: it is not here.
            RequestError: `invalid digest format`.
        """
        size = self._size(self.path(digest))
        if size is None:
            raise BlobNotFoundError(f"blob {digest} is not here: upload it to /api/blobs/{digest} first")
        return size

    def read(self, digest: str, limit: int) -> bytes:
        """The content of a small blob.

        Args:
            digest: which one.
            limit: bytes it may have.

        Raises:
            BlobNotFoundError: it is not here.
            StoreError: it is larger than `limit`, or cannot be read.
        """
        if self.size(digest) > limit:
            raise StoreError(f"blob {digest} is too large for what it is said to be", reason=f"over {limit} bytes")
        path = self.path(digest)
        with disk_errors(path), os.fdopen(os.open(path, _READ), "rb") as file:
            return file.read(limit)

    @contextmanager
    def writer(self, owner: object = None) -> Iterator[BlobWriter]:
        """Write a blob whose size nobody needs to know; without `commit` nothing of it stays.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        with self._temporary() as temporary:
            with disk_errors(temporary):
                descriptor = create_file(temporary)
            writer = BlobWriter(descriptor, temporary, partial(self._keep, owner=owner))
            try:
                yield writer
            finally:
                writer.abandon()

    def put(self, content: bytes, owner: object = None) -> str:
        """Store bytes; what is here already is kept.

        Returns:
            Their digest.

        Raises:
            DiskFullError: no room.
        """
        digest = digest_of(content)
        if self.touch(digest, owner, size=len(content)):
            return digest
        with self.writer(owner) as writer:
            writer.write(content)
            return writer.commit(digest)

    def touch(self, digest: str, owner: object = None, *, size: int | None = None) -> bool:
        """Say that a blob is about to be used, so that nothing removes it before a manifest names it.

        Args:
            digest: which one.
            owner: who is about to use it.
            size: what it must have; a blob of another size was damaged and counts as missing.

        Returns:
            Whether it is here.
        """
        path = self.path(digest)
        with self.leases.exclusive():
            found = self._size(path)
            if found is None or (size is not None and found != size):
                return False
            self.leases.take(path.name, owner)
            _refresh(path)
            return True

    def link(
        self,
        path: Path,
        owner: object = None,
        *,
        expected: str = "",
        on_progress: Callable[[int], None] | None = None,
    ) -> str:
        """Store a file that lies elsewhere on this machine: as a hard link, or copied where that cannot be.

        It is always hashed. Whoever owns the file must not change it in place afterwards.

        Args:
            path: the file; a symbolic link is followed.
            owner: who is about to use it.
            expected: the digest it must have; empty if nobody knows.
            on_progress: called with the bytes hashed so far.

        Returns:
            Its digest.

        Raises:
            DigestMismatchError: it has another digest; nothing is stored.
            RequestError: it is no file, or cannot be read.
            DiskFullError: no room for a copy.
        """
        try:
            source = path.resolve(strict=True)
            regular = stat.S_ISREG(source.stat().st_mode)
        except (OSError, RuntimeError) as error:
            raise RequestError(f"{path} cannot be read: check that it exists", reason=str(error)) from error
        if not regular:
            raise RequestError(f"{path} is not a file")
        with self._temporary() as temporary:
            if not _hard_link(source, temporary):
                return self._copy(source, owner, expected, on_progress)
            try:
                # Hashed under the new name: nobody can put another file there in between.
                digest = _hash_file(temporary, on_progress)
                if expected and digest != expected:
                    raise _mismatch(expected, digest)
                with disk_errors(temporary):
                    self._keep(temporary, digest, owner)
            finally:
                temporary.unlink(missing_ok=True)
            return digest

    def adopt(self, path: Path, owner: object = None, *, on_progress: Callable[[int], None] | None = None) -> str:
        """Store a file that was made for the store, on its file system, and that nobody writes to any more: it moves.

        Args:
            path: the file; it has gone afterwards.
            owner: who is about to use it.
            on_progress: called with the bytes hashed so far; may raise to stop.

        Returns:
            Its digest.

        Raises:
            RequestError: it cannot be read.
            DiskFullError: no room.
        """
        with disk_errors(path):
            descriptor = os.open(path, os.O_RDWR)  # Windows syncs only what may be written
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        digest = _hash_file(path, on_progress)
        with disk_errors(path):
            path.chmod(0o644)
            self._keep(path, digest, owner)
        return digest

    def keep(self, path: Path, digest: str, owner: object = None) -> None:
        """Let a finished file of the blobs' folder, whose bytes were verified and synced, appear under its digest.

        Args:
            path: the file; it has gone afterwards.
            digest: canonical, and right.
            owner: who is about to use it.

        Raises:
            StoreError: the system refused.
        """
        with disk_errors(path):
            path.chmod(0o644)
            self._keep(path, digest, owner)

    def claim(self, digests: Iterable[str], owner: object = None) -> None:
        """Say that a manifest of `owner` names these blobs now. Others may still want them."""
        names = [self.path(digest).name for digest in digests]
        with self.leases.exclusive():
            self.leases.drop(owner, names)
            self.leases.drop(None, names)

    def release(self, owner: object) -> None:
        """Say that `owner` is about to use nothing any more. Others may be."""
        self.leases.drop(owner)

    def discard(self, digest: str) -> bool:
        """Remove a blob that no manifest names, unless somebody is about to use it.

        Returns:
            Whether it was removed.
        """
        path = self.path(digest)
        with self.leases.exclusive():
            if path.name in self.leases.taken():
                return False
            with disk_errors(path):
                try:
                    self.leases.discard(path)
                except FileNotFoundError:
                    return False
            return True

    def _keep(self, temporary: Path, digest: str, owner: object) -> None:
        path = self.path(digest)
        with self.leases.exclusive():
            # What lay there may have been damaged since it was verified; this one has just been.
            temporary.replace(path)
            temporary.unlink(missing_ok=True)  # still there if both were links to one file
            self.leases.take(path.name, owner)
            _refresh(path)
        sync_folder(self.folder)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A name for a file on its way in, however long that takes."""
        path = temporary_path(self.folder, _PREFIX)
        self.leases.take(path.name, path)
        try:
            yield path
        finally:
            self.leases.drop(path)

    def _size(self, path: Path) -> int | None:
        try:
            status = path.lstat()
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def _copy(self, source: Path, owner: object, expected: str, on_progress: Callable[[int], None] | None) -> str:
        with closing(_chunks(source)) as chunks, self.writer(owner) as writer:
            for chunk in chunks:
                writer.write(chunk)
                if on_progress is not None:
                    on_progress(writer.size)
            return writer.commit(expected)


def _mismatch(expected: str, got: str) -> DigestMismatchError:
    return DigestMismatchError(f'digest mismatch, expected "{expected}", got "{got}"', reason=f"got {got}")


def _hard_link(source: Path, path: Path) -> bool:
    """Give a file a second name; False where that cannot be."""
    with disk_errors(path):
        try:
            os.link(source, path)
        except OSError as error:
            if error.errno not in NO_HARD_LINK:
                raise
            return False
    _refresh(path)
    return True


def _refresh(path: Path) -> None:
    """Set the time of a blob to now: the sweep spares what is young (contract 13.4)."""
    with suppress(OSError):  # a hard link to somebody else's file, or a disk that is only read
        os.utime(path)


def _chunks(path: Path) -> Generator[memoryview]:
    """A file in pieces. The piece is only valid until the next one is asked for.

    Raises:
        RequestError: the file cannot be read.
    """
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                yield view[:count]
    except OSError as error:
        raise RequestError(f"{path} cannot be read", reason=str(error)) from error


def _hash_file(path: Path, on_progress: Callable[[int], None] | None) -> str:
    digest, done = sha256(), 0
    for chunk in _chunks(path):
        digest.update(chunk)
        done += len(chunk)
        if on_progress is not None:
            on_progress(done)
    return f"sha256:{digest.hexdigest()}"
