"""Locks on files, between the processes of one machine. The system takes them from a process that dies.

On shares of Windows machines only its holder can read a file that is locked, so what others read is another one.
"""

import errno
import os
import sys
import time
from pathlib import Path
from typing import Final

from camelid.errors import StoreError

__all__ = ("REFUSED", "is_at", "is_held", "lock_in_turn", "open_locked")

REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""This process may not write there."""
_SAFE: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_WRITE: Final = os.O_RDWR | os.O_CREAT | _SAFE
_READ: Final = os.O_RDONLY | _SAFE
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})
"""The file system has none, or (EBADF) none for who may only read: everybody works as if alone there."""
_SECONDS_BETWEEN_TRIES: Final = 0.005
_REMOVALS: Final = 10
"""How often a file may vanish while it is opened; more often only numbers of files do that change each time."""

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
    return _open_locked(path, _WRITE)


def lock_in_turn(path: Path, until: float) -> int:
    """Wait for one's turn, for those who do something short. Who may not write to the file only reads it.

    Args:
        path: of a file that is there for nothing else, and stays.
        until: when to give up, by the monotonic clock.

    Returns:
        A descriptor; closing it ends the turn.

    Raises:
        StoreError: another one has it for as long.
        OSError: of `REFUSED`: the file is not there and may not be made, or may not even be read.
    """
    while True:
        try:
            descriptor = _open_locked(path, _WRITE)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            try:
                descriptor = _open_locked(path, _READ)
            except FileNotFoundError:
                raise error from None
        if descriptor is not None:
            return descriptor
        if time.monotonic() > until:
            raise StoreError("another program keeps the models folder to itself: try again", reason=f"{path} is locked")
        time.sleep(_SECONDS_BETWEEN_TRIES)


def is_held(path: Path) -> bool | None:
    """Whether somebody has a file locked; None if that cannot be known: there are no locks, or it may not be opened."""
    try:
        try:
            descriptor = os.open(path, _WRITE & ~os.O_CREAT)  # network file systems lock for none who only reads
        except OSError:
            descriptor = os.open(path, _READ)
    except OSError:
        return None
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


def is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _open_locked(path: Path, flags: int) -> int | None:
    for removals in range(_REMOVALS):
        descriptor = os.open(path, flags, 0o644)
        mine = here = False
        try:
            mine = _try_lock(descriptor)
            here = is_at(path, descriptor) or removals == _REMOVALS - 1
        finally:
            if not (mine and here):
                os.close(descriptor)
        if here:
            return descriptor if mine else None
        # Who had it has removed it meanwhile, and what was opened is no longer the file of that name.
    raise AssertionError  # the last time it counts as being there


def _try_lock(descriptor: int) -> bool:
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
