"""Locks on files, between the processes of one machine. The system takes them from a process that dies."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from camelid.errors import StoreError
from camelid.store.durable import disk_errors

__all__ = ("locked", "open_locked")

_OPEN: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""The file system has none: everybody works as if alone there."""
_PATIENCE: Final = 60.0
_SECONDS_BETWEEN_TRIES: Final = 0.005

if sys.platform == "win32":
    import msvcrt

    _FAR: Final = 1 << 30
    """Windows lets nobody read what is locked, so a byte is locked that no such file has."""

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_locked(path: Path) -> int | None:
    """Open a file, made if need be, for one alone; also within a process. Closing the descriptor lets go.

    Returns:
        The descriptor, for reading and writing; None while another one has the file.
    """
    while True:
        descriptor = os.open(path, _OPEN, 0o644)
        mine = False
        try:
            mine = _try_lock(descriptor) and _is_at(path, descriptor)
            if mine:
                return descriptor
            if _is_at(path, descriptor):
                return None
            # Who had it has removed it meanwhile, and what was opened is no longer the file of that name.
        finally:
            if not mine:
                os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for one's turn, for those who do something short.

    Args:
        path: of a file that is there for nothing else, and stays.

    Raises:
        StoreError: another one has it for a minute.
    """
    until = time.monotonic() + _PATIENCE
    with disk_errors(path):
        while (descriptor := open_locked(path)) is None:
            if time.monotonic() > until:
                raise StoreError(
                    "another program keeps the models folder to itself: try again", reason=f"{path} is locked"
                )
            time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
