"""One at a time in a folder, among threads and processes; what is removed then goes when the others may go on."""

import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Final

from camelid.errors import StoreError
from camelid.store.durable import disk_errors, temporary_path
from camelid.store.file_lock import REFUSED, lock_in_turn

__all__ = ("GONE", "LOCK", "FolderTurn", "share")

LOCK: Final = "lock"
"""The file that is locked."""
GONE: Final = ".gone-"
"""What the names of files and folders begin with that nobody wants any more; whoever finds them may remove them."""
_PATIENCE: Final = 20.0
"""Seconds to wait for threads and processes together. A turn takes milliseconds: longer ones are of who hangs."""

_log = logging.getLogger(__name__)


class FolderTurn:
    """The right to take, drop and remove what is in a folder. Safe to use from several threads.

    Where this process may not even make or read the lock, it works as if alone.
    """

    def __init__(self, folder: Path) -> None:
        """Bind.

        Args:
            folder: for the lock, directly below the folder of the files; it is made when it is needed, and belongs to
                who the folder of the files belongs to.
        """
        self._folder = folder
        self._lock = RLock()
        self._inside = False
        self._gone: list[Path] = []
        self._complained = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for one's turn, and have it. For short work; may be nested.

        Raises:
            StoreError: others do not let go, or the system refused.
        """
        until = time.monotonic() + _PATIENCE
        if not self._lock.acquire(timeout=_PATIENCE):
            raise StoreError("the models folder is busy: try again", reason=f"{self._folder} for {_PATIENCE:g} s")
        gone: list[Path] = []
        try:
            if self._inside:
                yield
            else:
                with self._alone(until):
                    try:
                        yield
                    finally:
                        gone, self._gone = self._gone, []
        finally:
            self._lock.release()
            for path in gone:
                _remove(path)

    def discard(self, path: Path) -> None:
        """Within one's turn, let a file or folder vanish. Its bytes, which may be many, go after the turn.

        Raises:
            OSError: it is not there, or cannot be renamed.
        """
        gone = temporary_path(path.parent, GONE)
        path.rename(gone)
        self._gone.append(gone)

    @contextmanager
    def _alone(self, until: float) -> Iterator[None]:
        with ExitStack() as stack:
            with disk_errors(self._folder):
                try:
                    self._prepare()
                    stack.callback(os.close, lock_in_turn(self._folder / LOCK, until))
                except OSError as error:
                    if error.errno not in REFUSED:
                        raise
                    self._complain(error)
            self._inside = True
            try:
                yield
            finally:
                self._inside = False

    def _prepare(self) -> None:
        path = self._folder / LOCK
        if path.exists():
            return
        self._folder.mkdir(exist_ok=True)
        share(self._folder, self._folder.parent)
        path.touch()
        share(path, self._folder.parent)

    def _complain(self, error: OSError) -> None:
        """Log, once, that there is no turn to be had."""
        if not self._complained:
            self._complained = True
            _log.warning("%s cannot be used, so other servers may remove what this one needs: %s", self._folder, error)


def share(path: Path, folder: Path) -> None:
    """Let all who may write to `folder` write to what this process has made, also one that an administrator ran."""
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if hasattr(os, "chown"):
        with suppress(OSError):  # not allowed, or the file system has no owners
            os.chown(path, status.st_uid, status.st_gid)
    with suppress(OSError):  # the same with modes
        path.chmod(mode if path.is_dir() else mode & 0o666)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # the next sweep tries again
            path.unlink()
