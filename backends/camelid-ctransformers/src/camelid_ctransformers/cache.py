"""Where rewritten files are kept, and for how long."""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from camelid.errors import ModelLoadError
from camelid.types.artifact import ModelFile
from camelid_ctransformers.rewriting import Rewriting

__all__ = ("RewrittenFiles", "cache_folders")

_UNFINISHED: Final = ".part"
_ABANDONED_SECONDS: Final = 3600.0
_STORE_FOLDER: Final = "blobs"
_GIGABYTE: Final = 10**9


def cache_folders(model: Path) -> tuple[Path, ...]:
    """Where a rewritten file may be, the best place first: beside the store that the model is in, else in the user's
    own folder for caches.
    """
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own = home / "camelid" / "ctransformers"
    if model.parent.name == _STORE_FOLDER:
        return (model.parent.parent / ".camelid" / "ctransformers", own)
    return (own,)


class RewrittenFiles:
    """A folder of rewritten files, named for what they were made of."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Bind.

        Args:
            folder: made when it is needed.
            limit: gigabytes that may be kept.
        """
        self._folder = folder
        self._limit = limit * _GIGABYTE

    def path(self, file: ModelFile) -> Path:
        """Where the rewritten form of a file is, or will be."""
        source = Path(file.path)
        if file.digest:
            name = file.digest.replace(":", "-")
        else:
            status = source.stat()
            told = f"{source}\0{status.st_size}\0{status.st_mtime_ns}"
            name = f"path-{hashlib.sha256(told.encode('utf-8', 'surrogateescape')).hexdigest()}"
        return self._folder / f"{name}.gguf"

    def obtain(self, file: ModelFile, rewriting: Rewriting) -> Path:
        """The rewritten form of a file, which is written now unless it is there.

        Raises:
            OSError: it cannot be written here.
            ModelLoadError: there is no room for it.
        """
        path = self.path(file)
        if not rewriting.is_written(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._tidy(keep=path, needed=rewriting.size)
            free = shutil.disk_usage(self._folder).free
            if free < rewriting.size:
                raise ModelLoadError(
                    f"ctransformers needs the model in an older form, and there is no room for it: "
                    f"{rewriting.size} bytes, and {free} are free in {self._folder}"
                )
            self._write(path, Path(file.path), rewriting)
        with suppress(OSError):
            os.utime(path)  # so that it counts as used
        return path

    def _write(self, path: Path, source: Path, rewriting: Rewriting) -> None:
        handle, name = tempfile.mkstemp(suffix=_UNFINISHED, dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as target, source.open("rb") as original:
                rewriting.write(original, target)
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def _tidy(self, *, keep: Path, needed: int) -> None:
        """Remove what was left unfinished, what belongs to no blob any more, and what is too much."""
        files = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                abandoned = path.suffix == _UNFINISHED and status.st_mtime < time.time() - _ABANDONED_SECONDS
                if abandoned or self._orphaned(path):
                    path.unlink()
                elif path.suffix != _UNFINISHED and path != keep:
                    files.append((status.st_mtime, status.st_size, path))
        total = needed + sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                break
            with suppress(OSError):
                path.unlink()
                total -= size

    def _orphaned(self, path: Path) -> bool:
        """Whether the blob that it was made of is gone. A worker that uses it keeps it nevertheless, until it ends."""
        blobs = self._folder.parent.parent / _STORE_FOLDER
        return path.stem.startswith("sha256-") and blobs.is_dir() and not (blobs / path.stem).exists()
