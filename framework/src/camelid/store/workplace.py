"""Room for files in the making, on the same disk as the blobs: a folder that goes when the work is over."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from camelid.errors import DiskFullError, RequestError, StoreError
from camelid.store.durable import NO_HARD_LINK, disk_errors
from camelid.store.file_names import name_parts
from camelid.store.leases import Leases

__all__ = ("PREFIX", "Workplace", "is_old_workplace")

PREFIX: Final = ".making-"
"""What the folders' names begin with; no blob's name does."""


class Workplace:
    """A folder below `blobs` that exists from the first use to `close`. All methods may block.

    What a killed server leaves of it, the sweep removes.
    """

    def __init__(self, blobs: Path, leases: Leases) -> None:
        """Take the folder of the blobs, and the leases of it; nothing is written yet."""
        self._folder = blobs / f"{PREFIX}{secrets.token_hex(8)}"
        self._leases = leases
        self._parts = 0
        self._lock = Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def source(self, files: Mapping[str, Path]) -> Path:
        """A new folder in which files stand under their own names.

        Args:
            files: by name, relative and with slashes; they are linked, so nobody may write into the folder.

        Raises:
            RequestError: a name cannot be a file's, or is both a file's and a folder's.
            StoreError: the system refused.
        """
        with self._new("source") as folder:
            for name, path in files.items():
                try:
                    _link(path, folder.joinpath(*name_parts(name)))
                except (FileExistsError, NotADirectoryError) as error:
                    raise RequestError(f"two files cannot both be called {name[:200]}", reason=str(error)) from error
                except (OSError, ValueError) as error:
                    if isinstance(error, OSError) and error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):
                        raise
                    raise RequestError(f"no file can be called {name[:200]!r}", reason=str(error)) from error
        return folder

    def target(self, name: str = "model.gguf") -> Path:
        """A path for a new file or folder of that name, where nothing is yet."""
        with self._new("target") as folder:
            return folder / name

    def require(self, size: int) -> None:
        """See that there is room, as far as that can be known.

        Args:
            size: estimated bytes of what will be written.

        Raises:
            DiskFullError: there is not.
        """
        free = self.free
        if size > free:
            raise DiskFullError(
                f"not enough space for the converted model: about {_gigabytes(size)} are needed and {_gigabytes(free)} "
                "are free; remove models, or let OLLAMA_MODELS name a folder on a larger disk",
                reason=f"in {self._folder.parent}",
            )

    @property
    def free(self) -> int:
        """Bytes that can still be written.

        Raises:
            StoreError: the system does not say.
        """
        with disk_errors(self._folder):
            return shutil.disk_usage(self._folder.parent).free

    def close(self) -> None:
        """Remove everything. What cannot be removed now is removed at a later start."""
        with self._lock:
            self._closed = True
            if self._parts:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._leases.drop(self)

    @contextmanager
    def _new(self, kind: str) -> Iterator[Path]:
        """A new folder; nobody closes the workplace while it is filled."""
        with self._lock:
            if self._closed:
                raise StoreError("the work was given up", reason="its workplace is closed")
            self._leases.take(self._folder.name, self)
            self._parts += 1
            folder = self._folder / f"{self._parts}-{kind}"
            with disk_errors(folder):
                folder.mkdir(parents=True)
                yield folder


def is_old_workplace(folder: Path, before: float) -> bool:
    """Whether nothing in a workplace's folder was written to since `before` (seconds since the epoch)."""
    return all(_written(path) < before for path in (folder, *folder.rglob("*")))


def _written(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def _link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, place)
    except OSError as error:
        if error.errno not in NO_HARD_LINK:
            raise
        place.symlink_to(path)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
