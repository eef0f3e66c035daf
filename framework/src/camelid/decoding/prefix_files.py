"""Computed prefixes in files, which survive unloading, restarts and kills.

A file is made under a temporary name and appears whole. What a crash of the machine may leave of it anyway, its digest
tells. Nothing here is needed: whatever cannot be written or read is computed again.
"""

import hashlib
import logging
import os
import queue
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import BinaryIO, Final, NamedTuple

import msgspec
import numpy as np

from camelid.decoding.tokens import TokenArray, common_prefix
from camelid.errors import ModelError

__all__ = ("PrefixFile", "PrefixFiles", "prefix_folder")

_log = logging.getLogger("camelid.decoding")

_MAGIC: Final = b"camelid prefix 1\n"
"""Another form of the file is another number."""
_ENDING: Final = ".prefix"
_UNFINISHED: Final = ".part"
_WAITING: Final = 2
"""States on their way to the disk. With more, the disk is too slow for this model, and the next ones are dropped."""
_LONGEST_HEADER: Final = 1 << 26
_CLOSING_SECONDS: Final = 3.0
"""The server gives a worker five to close."""
_ABANDONED_SECONDS: Final = 3600.0

_encoder = msgspec.msgpack.Encoder()


class _Header(msgspec.Struct, frozen=True, array_like=True):
    tokens: bytes
    """int32, little-endian."""
    tenant: str
    size: int
    """Bytes of the state, which follows."""
    digest: bytes
    """BLAKE2b of the state."""


_decoder = msgspec.msgpack.Decoder(_Header)


class PrefixFile(msgspec.Struct, frozen=True, eq=False):
    """A state on the disk."""

    tokens: TokenArray
    tenant: str
    path: Path
    size: int
    """Bytes of the file."""

    def read(self) -> bytes:
        """The state, which counts as used now.

        Raises:
            ModelError: the file is gone, or not what was written.
        """
        try:
            with self.path.open("rb") as file:
                header = _read_header(file)
                state = file.read(header.size + 1)
            os.utime(self.path)
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise ModelError("a saved prefix cannot be read; it is computed again", reason=str(error)) from error
        if len(state) != header.size or _digest(state) != header.digest:
            raise ModelError("a saved prefix is damaged; it is computed again", reason=str(self.path))
        return state


class _Task(NamedTuple):
    tokens: TokenArray
    tenant: str
    state: bytes


def prefix_folder(root: Path, model_digest: str, *identity: object) -> Path:
    """Where the prefixes of one model are, as it is loaded now.

    Args:
        root: the folder for those of all models.
        model_digest: of the model's main file, `sha256:...`; its files go when that blob is gone.
        identity: everything that makes a state of one worker useless to another; plain data.
    """
    told = hashlib.blake2b(_encoder.encode(identity), digest_size=8).hexdigest()
    return root / model_digest.replace(":", "-") / told


class PrefixFiles:
    """The files of one model. The engine thread asks and hands over; a thread of its own writes."""

    def __init__(self, folder: Path, budget: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Find out what is there.

        Args:
            folder: as `prefix_folder` says; made when there is something to write.
            budget: bytes that the files of all models together may take.
            clock: seconds.
        """
        self.budget = budget
        self._folder = folder
        self._clock = clock
        self._deadline: float | None = None
        self._lock = Lock()
        self._files: dict[str, PrefixFile] = {}
        for path in _entries(folder, _ENDING):
            with suppress(OSError, msgspec.MsgspecError, ValueError), path.open("rb") as file:
                header = _read_header(file)
                tokens = np.frombuffer(header.tokens, "<i4").astype(np.int32)
                self._files[path.name] = PrefixFile(tokens, header.tenant, path, path.stat().st_size)
        self._queue: queue.Queue[_Task | None] = queue.Queue(_WAITING)
        self._thread = Thread(target=self._write_all, name="camelid-prefixes", daemon=True)
        self._thread.start()

    @property
    def used(self) -> int:
        """Bytes of this model's files."""
        with self._lock:
            return sum(file.size for file in self._files.values())

    def of(self, tenant: str) -> list[PrefixFile]:
        """What a tenant may have."""
        with self._lock:
            return [file for file in self._files.values() if file.tenant == tenant]

    def keep(self, tokens: TokenArray, state: bytes, tenant: str, *, patient: bool = False) -> bool:
        """Write a state soon, unless some of it is media: their ids tell the pictures of a few conversations apart, not
        all that there are.

        Args:
            tokens: what it is the state of.
            state: as `BatchDecoder.save` gave it.
            tenant: whose.
            patient: wait, within the seconds that there are for closing, where too much is to be written already.

        Returns:
            False if there was too much.
        """
        if not len(tokens) or tokens.min() < 0 or len(state) > self.budget or self._holds(tokens, tenant):
            return True
        try:
            self._queue.put(_Task(tokens, tenant, state), timeout=self._left() if patient else 0.0)
        except queue.Full:
            return False
        return True

    def discard(self, prefix: object) -> None:
        """Remove a file that could not be used."""
        if isinstance(prefix, PrefixFile):
            with self._lock:
                self._files.pop(prefix.path.name, None)
            with suppress(OSError):
                prefix.path.unlink()

    def close(self) -> None:
        """Write what waits, as far as there is time."""
        with suppress(queue.Full):
            self._queue.put(None, timeout=self._left())
            self._thread.join(self._left())

    def _left(self) -> float:
        """Seconds for closing, which begins with the first question."""
        now = self._clock()
        if self._deadline is None:
            self._deadline = now + _CLOSING_SECONDS
        return max(0.0, self._deadline - now)

    def _holds(self, tokens: TokenArray, tenant: str) -> bool:
        return any(common_prefix(tokens, file.tokens) == len(tokens) for file in self.of(tenant))

    def _write_all(self) -> None:
        """The thread's life."""
        _remove_orphans(self._folder.parent.parent)
        while (task := self._queue.get()) is not None:
            try:
                self._write(task)
            except OSError as error:
                _log.warning("a prefix could not be written to the disk: %s", error)

    def _write(self, task: _Task) -> None:
        header = _encoder.encode(
            _Header(task.tokens.astype("<i4").tobytes(), task.tenant, len(task.state), _digest(task.state))
        )
        size = len(_MAGIC) + 4 + len(header) + len(task.state)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._make_room(size):
            return
        path = self._folder / f"{secrets.token_hex(8)}{_ENDING}"
        partial = path.with_suffix(_UNFINISHED)
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.writelines((_MAGIC, len(header).to_bytes(4, "little"), header, task.state))
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        with self._lock:
            shorter = [
                file
                for file in self._files.values()
                if file.tenant == task.tenant and common_prefix(task.tokens, file.tokens) == len(file.tokens)
            ]
            self._files[path.name] = PrefixFile(task.tokens, task.tenant, path, size)
        for covered in shorter:
            self.discard(covered)

    def _make_room(self, size: int) -> bool:
        """Remove the files of any model that were not used for longest, until this one fits; whether it does."""
        if size > self.budget:
            return False
        root = self._folder.parent.parent
        found = []
        for path in root.glob(f"*/*/*{_ENDING}"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = size + sum(entry[1] for entry in found)
        for _, length, path in sorted(found):
            if total <= self.budget:
                break
            with suppress(OSError):
                path.unlink()
                total -= length
                with self._lock:
                    self._files.pop(path.name, None)
        # As much again stays free: prefixes are the last thing that a full disk should be full of.
        return total <= self.budget and shutil.disk_usage(self._folder).free > 2 * size


def _remove_orphans(root: Path) -> None:
    """Remove what belongs to no blob of the store any more, and what killed workers left unfinished."""
    blobs = root.parent.parent / "blobs"
    for model in _entries(root):
        if blobs.is_dir() and not (blobs / model.name).exists():
            shutil.rmtree(model, ignore_errors=True)
    for path in root.glob(f"*/*/*{_UNFINISHED}"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                path.unlink()


def _entries(folder: Path, ending: str = "") -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name.endswith(ending)]
    except OSError:
        return []


def _read_header(file: BinaryIO) -> _Header:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no saved prefix")
    length = int.from_bytes(file.read(4), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("the header is too long")
    return _decoder.decode(file.read(length))


def _digest(state: bytes) -> bytes:
    return hashlib.blake2b(state, digest_size=16).digest()
