"""Which files of a folder somebody is about to use, in whatever process, so that nobody removes them meanwhile."""

import logging
import os
import re
import secrets
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Lock
from typing import Final

from camelid.errors import StoreError
from camelid.store.durable import disk_errors, write_all
from camelid.store.file_lock import REFUSED, is_at, is_held, open_locked
from camelid.store.folder_turn import FolderTurn, share

__all__ = ("FOLDER", "Leases")

FOLDER: Final = ".leases"
"""A folder beside the files, for Ollama removes strange files there, but no folder that is not empty."""
_MARK: Final = re.compile(r"[0-9a-f]{16}")
_LIST: Final = ".names"
_WRITE: Final = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NOBODYS_SECONDS: Final = 3600.0
_FOR_EVER: Final = float("inf")

_log = logging.getLogger(__name__)


class Leases:
    """Names of a folder that are taken. Safe to use from several threads, and beside other processes.

    Each process has a mark, an empty file that it keeps locked, so that nobody believes what a killed one left, and
    beside that a list of what it has taken, and until when. Whoever takes a name is an `owner`, any object, and has it
    until it is dropped; nobody (None), whose client may have gone, has it for an hour.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder of the files; nothing is written before the first `exclusive`."""
        self._folder = folder / FOLDER
        self._turn = FolderTurn(self._folder)
        self._lock = Lock()
        self._taken: dict[tuple[str, object], float] = {}
        """Until when, in seconds since the epoch; other processes read it."""
        self._mark: _Mark | None = None
        self._written = ""
        self._complained = False

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep everybody else from taking, dropping and removing anything. For short work; may be nested.

        Raises:
            StoreError: others do not let go, or the system refused.
        """
        return self._turn.held()

    def take(self, name: str, owner: object = None) -> None:
        """Say that `owner` is about to use a file, which may be there or not yet.

        Raises:
            StoreError: see `exclusive`; nothing is taken.
            DiskFullError: no room to tell others; nothing is taken.
        """
        until = time.time() + _NOBODYS_SECONDS if owner is None else _FOR_EVER
        with self.exclusive():
            with self._lock:
                self._taken[name, owner] = until
            try:
                self._publish()
            except StoreError:
                self.drop(owner, (name,))
                raise

    def drop(self, owner: object, names: Iterable[str] | None = None) -> None:
        """Say that `owner` is not about to use these files any more, None for all that it has taken.

        Others hear of it as soon as they can be told, at the latest when this process takes something else.
        """
        wanted = None if names is None else frozenset(names)
        with self._lock:
            for name, other in tuple(self._taken):
                if other == owner and (wanted is None or name in wanted):
                    del self._taken[name, other]
        try:
            with self.exclusive():
                self._publish()
        except StoreError as error:
            _log.warning("other servers do not hear yet that files are not needed: %s (%s)", error, error.reason)

    def taken(self) -> frozenset[str]:
        """What anybody is about to use; it stays so only within `exclusive`.

        Raises:
            StoreError: see `exclusive`.
        """
        with self.exclusive(), disk_errors(self._folder):
            return frozenset(self._own()).union(*self._others())

    def discard(self, path: Path) -> None:
        """Within `exclusive`, let a file or folder vanish; its bytes go when that ends.

        Raises:
            OSError: it is not there, or cannot be renamed.
        """
        self._turn.discard(path)

    def _own(self) -> dict[str, float]:
        """What this process has taken; forgets what is over."""
        now, found = time.time(), dict[str, float]()
        with self._lock:
            self._taken = {key: until for key, until in self._taken.items() if until > now}
            for (name, _owner), until in self._taken.items():
                found[name] = max(until, found.get(name, until))
        return found

    def _others(self) -> Iterator[frozenset[str]]:
        """What each other process has taken; removes what those left that have ended."""
        try:
            with os.scandir(self._folder) as entries:
                marks = [Path(entry.path) for entry in entries if _is_mark(entry)]
        except (FileNotFoundError, PermissionError):  # where it works as if alone
            return
        for mark in marks:
            if self._mark is not None and mark == self._mark.path:
                continue
            names = mark.with_suffix(_LIST)
            held = is_held(mark)
            if held:
                yield _read(names)
            elif held is False:
                _remove(names)
                _remove(mark)

    def _publish(self) -> None:
        """Let the other processes know, in one's turn."""
        content = "".join(f"{until:.0f} {name}\n" for name, until in sorted(self._own().items()))
        if content == self._written and (self._mark is None or self._mark.stands()):
            return
        self._written = ""
        with disk_errors(self._folder):
            try:
                if self._mark is None or not self._mark.stands():
                    self._mark = _Mark(self._folder)
                _write(self._mark.path.with_suffix(_LIST), content.encode(), self._folder)
            except OSError as error:
                if error.errno not in REFUSED:
                    raise
                self._complain(error)
        self._written = content

    def _complain(self, error: OSError) -> None:
        """Log, once, that nobody can be told anything."""
        if not self._complained:
            self._complained = True
            _log.warning("other servers may remove what this one needs, for it cannot tell them: %s", error)


class _Mark:
    """A file that is locked for as long as this object lives."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / secrets.token_hex(8)
        descriptor = open_locked(self.path)
        if descriptor is None:  # its name was random
            raise BlockingIOError(f"{self.path} is locked")
        # Whoever looks next removes the file: the collector runs anywhere, also where nothing may wait for the disk.
        weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor
        share(self.path, folder)

    def stands(self) -> bool:
        """Whether others can see it: on some network file systems they may take it for that of one who has ended."""
        return is_at(self.path, self._descriptor)


def _is_mark(entry: os.DirEntry[str]) -> bool:
    return _MARK.fullmatch(entry.name) is not None and entry.is_file(follow_symlinks=False)


def _read(path: Path) -> frozenset[str]:
    """The names in another one's list whose time is not over."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return frozenset()
    now, found = time.time(), set[str]()
    for line in lines:
        until, _, name = line.partition(" ")
        with suppress(ValueError):  # no line of ours
            if float(until) > now:
                found.add(name)
    return frozenset(found)


def _write(path: Path, content: bytes, folder: Path) -> None:
    descriptor = os.open(path, _WRITE, 0o644)
    try:
        # In this order, so that a list that gets shorter needs no room on a full disk.
        write_all(descriptor, content)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)
    share(path, folder)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.debug("%s stays: %s", path, error)
