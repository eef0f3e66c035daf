"""Which files of a folder somebody is about to use, in whatever process, so that nobody removes them meanwhile."""

import os
import secrets
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final

from camelid.store.durable import disk_errors, write_all
from camelid.store.file_lock import locked, open_locked

__all__ = ("FOLDER", "Leases")

FOLDER: Final = ".leases"
"""A folder beside the files, for Ollama removes strange files there, but no folder that is not empty."""
_LOCK: Final = "lock"
_NOBODYS_SECONDS: Final = 3600.0


class Leases:
    """Names of a folder that are taken. Safe to use from several threads, and beside other processes.

    Each process has a file with the names that it has taken and keeps it locked, so that nobody believes what a killed
    one left. Whoever takes a name is an `owner`, any object, and has it until it is dropped; nobody (None), whose
    client may have gone, has it for an hour.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder of the files; nothing is written before the first `exclusive`."""
        self._folder = folder / FOLDER
        self._lock = RLock()
        self._inside = False
        self._taken: dict[str, dict[object, float]] = {}
        self._written: frozenset[str] = frozenset()
        self._file: tuple[Path, int] | None = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep everybody else from taking, dropping and removing anything. For short work; may be nested.

        Raises:
            StoreError: another process does not let go, or the folder cannot be written to.
        """
        with self._lock:
            if self._inside:
                yield
                return
            with disk_errors(self._folder):
                self._folder.mkdir(exist_ok=True)
            with locked(self._folder / _LOCK):
                self._inside = True
                try:
                    yield
                finally:
                    self._inside = False
                    with disk_errors(self._folder):
                        self._write()

    def take(self, name: str, owner: object = None) -> None:
        """Say that `owner` is about to use a file, which may be there or not yet."""
        with self.exclusive():
            self._taken.setdefault(name, {})[owner] = time.monotonic()

    def drop(self, owner: object, names: Iterable[str] | None = None) -> None:
        """Say that `owner` is not about to use these files any more, None for all that it has taken."""
        with self.exclusive():
            for name in tuple(self._taken) if names is None else names:
                self._taken.get(name, {}).pop(owner, None)

    def taken(self) -> frozenset[str]:
        """What anybody is about to use; it stays so only within `exclusive`."""
        with self.exclusive(), disk_errors(self._folder):
            return self._names().union(*self._others())

    def _names(self) -> frozenset[str]:
        """What this process has taken; forgets what is over."""
        before = time.monotonic() - _NOBODYS_SECONDS
        for owners in self._taken.values():
            if owners.get(None, before) <= before:
                owners.pop(None, None)
        self._taken = {name: owners for name, owners in self._taken.items() if owners}
        return frozenset(self._taken)

    def _others(self) -> Iterator[frozenset[str]]:
        """What each other process has taken; removes what those left that have ended."""
        own = None if self._file is None else self._file[0]
        for path in self._folder.iterdir():
            if path.name == _LOCK or path == own:
                continue
            descriptor = open_locked(path)
            if descriptor is None:
                yield frozenset(path.read_text("utf-8").splitlines())
            else:
                os.close(descriptor)
                path.unlink()

    def _write(self) -> None:
        """Let the other processes know; nobody looks before `exclusive` ends."""
        names = self._names()
        if names == self._written:
            return
        if self._file is None:
            self._file = self._make()
        descriptor = self._file[1]
        content = "".join(f"{name}\n" for name in sorted(names)).encode()
        # In this order, so that a list that gets shorter needs no room on a full disk.
        os.lseek(descriptor, 0, os.SEEK_SET)
        write_all(descriptor, content)
        os.ftruncate(descriptor, len(content))
        self._written = names

    def _make(self) -> tuple[Path, int]:
        path = self._folder / secrets.token_hex(8)
        descriptor = open_locked(path)
        if descriptor is None:  # its name was random
            raise BlockingIOError(f"{path} is locked")
        # Whoever looks next removes the file: the collector runs anywhere, also where nothing may wait for the disk.
        weakref.finalize(self, os.close, descriptor)
        return path, descriptor
