"""Computed prefixes in files, which survive unloading, restarts and kills.

A file is made under a temporary name and appears whole. What a crash of the machine may leave of it anyway, its digest
tells. Nothing here is needed: whatever cannot be written or read is computed again.
"""

import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock
from typing import BinaryIO, Final

import msgspec
import numpy as np

from camelid.decoding.prefix import WORTH_KEEPING, SavedPrefix
from camelid.decoding.tokens import TokenArray, begins_with
from camelid.errors import ModelError

__all__ = ("PrefixFile", "PrefixFiles", "folder_of_model")

_log = logging.getLogger("camelid.decoding")

_MAGIC: Final = b"camelid prefix 1\n"
"""Another form of the file is another number."""
_ENDING: Final = ".prefix"
_UNFINISHED: Final = ".part"
_WAITING: Final = 2
"""States on their way to the disk. With more, the disk is too slow for this model, and the next ones are dropped."""
_RESERVE: Final = 1 << 30
"""Bytes of the disk that stay free: prefixes are the last thing that it should be full of."""
_LONGEST_HEADER: Final = 1 << 26
_CHUNK: Final = 8 << 20
_CLOSING_SECONDS: Final = 3.0
"""The server gives a worker five to close."""
_LAST_SECONDS: Final = 0.5
"""For what is being written to be given up."""

_encoder = msgspec.msgpack.Encoder()


class _Header(msgspec.Struct, frozen=True, array_like=True):
    tokens: bytes
    """int32, little-endian."""
    tenant: str
    size: int
    """Bytes of the state, which follows."""


_decoder = msgspec.msgpack.Decoder(_Header)


class PrefixFile(msgspec.Struct, frozen=True, eq=False):
    """A state on the disk."""

    tokens: TokenArray
    tenant: str
    path: Path
    size: int
    """Bytes of the file."""


class _Head(msgspec.Struct, frozen=True):
    """What stands before a state, as far as it could be read; nothing of it is proven yet."""

    digest: bytes
    """BLAKE2b of all that follows it."""
    raw: bytes
    """The bytes that it is of, up to the state."""
    header: _Header

    @property
    def tokens(self) -> TokenArray:
        return np.frombuffer(self.header.tokens, "<i4").astype(np.int32)


def folder_of_model(root: Path, model_digest: str, *identity: object) -> Path:
    """Where the prefixes of one model are, as it is loaded now.

    Args:
        root: the folder for those of all models.
        model_digest: of the model's main file, `sha256:...`; the store removes what belongs to no blob any more.
        identity: everything that makes a state of one worker useless to another; plain data.
    """
    told = hashlib.blake2b(_encoder.encode(identity), digest_size=8).hexdigest()
    return root / model_digest.replace(":", "-") / told


class PrefixFiles:
    """The files of one model. The engine thread asks and hands over; threads of its own read and write."""

    def __init__(self, folder: Path, budget: int, *, closing_seconds: float = _CLOSING_SECONDS) -> None:
        """Find out what is there.

        Args:
            folder: as `folder_of_model` says; made when there is something to write.
            budget: bytes that the files of all models together may take.
            closing_seconds: how long closing may take.
        """
        self.budget = budget
        self._folder = folder
        self._closing_seconds = closing_seconds
        self._deadline: float | None = None
        self._given_up = Event()
        self._lock = Lock()
        self._files: dict[tuple[str, bytes], list[PrefixFile]] = {}
        for path in _entries(folder, _ENDING):
            with suppress(OSError, msgspec.MsgspecError, ValueError), path.open("rb") as file:
                head = _read_head(file)
                self._add(PrefixFile(head.tokens, head.header.tenant, path, path.stat().st_size))
        self._reader = ThreadPoolExecutor(1, "camelid-prefixes-read")
        self._writer = ThreadPoolExecutor(1, "camelid-prefixes-write")
        self._writing: set[Future[None]] = set()

    @property
    def used(self) -> int:
        """Bytes of this model's files."""
        with self._lock:
            return sum(file.size for files in self._files.values() for file in files)

    def of(self, tokens: TokenArray, tenant: str) -> list[PrefixFile]:
        """Those of a tenant that begin as `tokens` do, as far as any prefix must that is worth keeping."""
        with self._lock:
            return list(self._files.get(_key(tokens, tenant), ()))

    def keep(self, prefix: SavedPrefix, *, covers: bool = True, age: float = 0.0, patient: bool = False) -> bool:
        """Write a state soon, unless some of it is media: their ids tell the pictures of a few conversations apart, not
        all that there are.

        Args:
            prefix: what to write.
            covers: remove files that hold a beginning of it.
            age: seconds since it was last of use.
            patient: wait, within the seconds that there are for closing, where too much is to be written already.

        Returns:
            False if there was too much.
        """
        if len(prefix.tokens) < WORTH_KEEPING or prefix.tokens.min() < 0:
            return True
        if self._too_much(self._left() if patient else 0.0):
            return False
        self._writing.add(self._writer.submit(self._try_to_write, prefix, covers, time.time() - age))
        return True

    def read(self, file: PrefixFile) -> "Future[bytes]":
        """Get a state. The future raises `ModelError` where the file is gone, or not what was written."""
        return self._reader.submit(_read, file)

    def discard(self, file: PrefixFile) -> None:
        """Remove a file that could not be used."""
        self._forget(file)
        with suppress(OSError):
            file.path.unlink()

    def close(self) -> None:
        """Write what waits, as far as there is time; what is not finished then leaves nothing behind."""
        wait(self._writing, timeout=self._left())
        self._given_up.set()
        self._writer.shutdown(wait=False, cancel_futures=True)
        self._reader.shutdown(wait=False, cancel_futures=True)
        wait(self._writing, timeout=_LAST_SECONDS)

    def _left(self) -> float:
        """Seconds for closing, which begins with the first question."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._closing_seconds
        return max(0.0, self._deadline - now)

    def _too_much(self, seconds: float) -> bool:
        """Whether as much is being written as may be, still after so many seconds."""
        self._writing = {each for each in self._writing if not each.done()}
        if len(self._writing) >= _WAITING and seconds:
            self._writing = wait(self._writing, timeout=seconds, return_when=FIRST_COMPLETED).not_done
        return len(self._writing) >= _WAITING

    def _holds(self, prefix: SavedPrefix) -> bool:
        """Whether a file begins with all of these tokens, and nobody has removed it."""
        for file in self.of(prefix.tokens, prefix.tenant):
            if begins_with(file.tokens, prefix.tokens):
                if file.path.exists():
                    return True
                self._forget(file)
        return False

    def _beginnings_of(self, prefix: SavedPrefix) -> list[PrefixFile]:
        files = self.of(prefix.tokens, prefix.tenant)
        return [file for file in files if begins_with(prefix.tokens, file.tokens)]

    def _add(self, file: PrefixFile) -> None:
        with self._lock:
            self._files.setdefault(_key(file.tokens, file.tenant), []).append(file)

    def _forget(self, file: PrefixFile) -> None:
        with self._lock:
            files = self._files.get(_key(file.tokens, file.tenant), [])
            files[:] = [other for other in files if other is not file]

    def _try_to_write(self, prefix: SavedPrefix, covers: bool, used_at: float) -> None:
        try:
            if not self._holds(prefix):
                shorter = self._beginnings_of(prefix) if covers else ()
                self._write(prefix, used_at)
                for file in shorter:
                    self.discard(file)
        except OSError as error:
            _log.warning("a prefix could not be written to the disk: %s", error)
        except Exception:  # noqa: BLE001 - nobody waits for this, and the next one may go well
            _log.exception("a prefix could not be written to the disk")

    def _write(self, prefix: SavedPrefix, used_at: float) -> None:
        header = _encoder.encode(_Header(prefix.tokens.astype("<i4").tobytes(), prefix.tenant, len(prefix.state)))
        raw = len(header).to_bytes(4, "little") + header
        head = _MAGIC + _digest(raw, prefix.state) + raw
        size = len(head) + len(prefix.state)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._make_room(size, used_at):
            return
        path = self._folder / f"{secrets.token_hex(8)}{_ENDING}"
        partial = path.with_suffix(_UNFINISHED)
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                target.write(head)
                for start in range(0, len(prefix.state), _CHUNK):
                    if self._given_up.is_set():
                        raise InterruptedError("the model was unloaded meanwhile")
                    target.write(memoryview(prefix.state)[start : start + _CHUNK])
            os.utime(partial, (used_at, used_at))
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        self._add(PrefixFile(prefix.tokens, prefix.tenant, path, size))

    def _make_room(self, size: int, before: float) -> bool:
        """Remove files of any model that were last used before that time, the oldest first, until there is room for
        another; none if even all of them would not do. Whether there is room.
        """
        found = sorted(_sizes(self._folder.parent.parent))
        free = shutil.disk_usage(self._folder).free
        lacking = max(sum(length for _, length, _ in found) + size - self.budget, size + _RESERVE - free)
        older = [(length, path) for used_at, length, path in found if used_at < before and path.suffix == _ENDING]
        if lacking > sum(length for length, _ in older):
            return False
        for length, path in older:
            if lacking <= 0:
                break
            with suppress(OSError):
                path.unlink()
            lacking -= length
            with self._lock:
                for files in self._files.values():
                    files[:] = [file for file in files if file.path != path]
        return True


def _key(tokens: TokenArray, tenant: str) -> tuple[str, bytes]:
    return tenant, tokens[:WORTH_KEEPING].tobytes()


def _sizes(root: Path) -> Iterator[tuple[float, int, Path]]:
    """When each file of any model was last used, its bytes, and where it is; also of those that are being written."""
    for path in root.glob("*/*/*"):
        with suppress(OSError):
            status = path.stat()
            yield status.st_mtime, status.st_size, path


def _entries(folder: Path, ending: str) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name.endswith(ending)]
    except OSError:
        return []


def _read(file: PrefixFile) -> bytes:
    """The state in a file, which counts as used now."""
    try:
        with file.path.open("rb") as opened:
            head = _read_head(opened)
            if os.fstat(opened.fileno()).st_size != opened.tell() + head.header.size:
                raise ValueError("its length is not what it says")
            state = opened.read(head.header.size)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise ModelError("a saved prefix cannot be read; it is computed again", reason=str(error)) from error
    if _digest(head.raw, state) != head.digest or not np.array_equal(head.tokens, file.tokens):
        raise ModelError("a saved prefix is damaged; it is computed again", reason=str(file.path))
    with suppress(OSError):
        os.utime(file.path)
    return state


def _read_head(file: BinaryIO) -> _Head:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no saved prefix")
    digest, length = file.read(16), file.read(4)
    if int.from_bytes(length, "little") > _LONGEST_HEADER:
        raise ValueError("the header is too long")
    raw = file.read(int.from_bytes(length, "little"))
    return _Head(digest, length + raw, _decoder.decode(raw))


def _digest(raw: bytes, state: bytes) -> bytes:
    told = hashlib.blake2b(raw, digest_size=16)
    told.update(state)
    return told.digest()
