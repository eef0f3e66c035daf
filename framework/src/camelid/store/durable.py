"""How bytes get to the disk for certain, and what is said when they cannot.

What these functions have finished survives a crash of the machine; what they have not is invisible under its name.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from camelid.errors import DiskFullError, StoreError

__all__ = (
    "NO_HARD_LINK",
    "create_file",
    "disk_errors",
    "make_folder",
    "replace_file",
    "sync_folder",
    "synced_file",
    "temporary_path",
    "write_all",
)

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space, no quota, or a file system that takes no file as large as this."""

NO_HARD_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
)
"""Why a file cannot get a second name: another file system, somebody else's file, or no hard links there at all."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into errors that a person can act on.

    Args:
        path: what is being read or written, for the message.

    Raises:
        DiskFullError: the disk has no room.
        StoreError: any other refusal.
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}: {path}"
        if error.errno in _FULL:
            raise DiskFullError(
                f"no space left in {path.parent}: remove models, or let OLLAMA_MODELS name a folder on a larger disk",
                reason=reason,
            ) from error
        advice = (
            "; let this user read and write there, or let OLLAMA_MODELS name another folder"
            if error.errno in _FORBIDDEN
            else ""
        )
        raise StoreError(f"the models folder cannot be used: {reason}{advice}", reason=reason) from error


def temporary_path(folder: Path, prefix: str) -> Path:
    """A name that nothing has: `prefix` and random digits."""
    return folder / f"{prefix}{secrets.randbits(64)}"


def create_file(path: Path) -> int:
    """Make a new empty file, mode 0644.

    Returns:
        Its descriptor, for writing only.
    """
    return os.open(path, _CREATE, 0o644)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Write everything; the system may take it in pieces."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a crash. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, for certain."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    sync_folder(folder.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that may be lost; its folder is made if need be.

    Not synced: after a crash of the machine whoever reads it must find that it is torn.

    Raises:
        OSError: the system refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path.parent, ".new-")
    descriptor = create_file(temporary)
    try:
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def synced_file(folder: Path, content: bytes) -> Iterator[Path]:
    """A temporary file in a folder, with all of `content` on the disk for certain. It goes, unless it was renamed."""
    temporary = temporary_path(folder, ".new-")
    descriptor = create_file(temporary)
    try:
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
