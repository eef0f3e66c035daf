"""The folder `manifests`: `<host>/<namespace>/<model>/<tag>`, one file a model (contract 13.1).

Only regular files at that depth count, and only where each part is a valid name; symbolic links are never followed.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path

import msgspec

from camelid.errors import CorruptManifestError, RequestError
from camelid.store.durable import disk_errors, sync_folder, synced_file
from camelid.types.names import ModelName

__all__ = ("ManifestFile", "ManifestTree", "Stamp")

_DEPTH = 4
_LIMIT = 16 << 20
_LONGEST_TICK = 2_500_000_000
"""Nanoseconds; the file system of memory cards writes down every second second."""
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Stamp(msgspec.Struct, frozen=True):
    """What the system says of a file: as long as it is the same, so is the content, if it is old enough."""

    inode: int
    size: int
    modified: int
    """Epoch nanoseconds; when the content was written."""
    changed: int
    """Epoch nanoseconds; when anything of the file was, which nobody can set."""

    def settled(self, now: int) -> bool:
        """Whether whatever was written after `now`, in epoch nanoseconds, shows in the stamp.

        Clocks of file systems tick: of two writes within a tick, the second one does not show.
        """
        return now - max(self.modified, self.changed) > _LONGEST_TICK


class ManifestFile(msgspec.Struct, frozen=True):
    """A manifest on the disk, unread."""

    name: ModelName
    """As spelled on the disk."""
    path: str
    """Absolute."""
    stamp: Stamp
    """When it was found."""


class ManifestTree:
    """Names on the disk. Holds no state: others may write to the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Absolute."""

    def files(self) -> Iterator[ManifestFile]:
        """Every manifest, in alphabetical order.

        Raises:
            StoreError: a folder cannot be read.
        """
        for parts, entry in _walk(str(self.folder), ()):
            name = ModelName(*parts)
            with suppress(RequestError, FileNotFoundError):
                name.check()
                yield ManifestFile(name, entry.path, _stamp(entry.stat(follow_symlinks=False)))

    def find(self, name: ModelName) -> ManifestFile | None:
        """The manifest of that name; its spelling may differ in case (contract 2.1)."""
        path = self.path(name)
        with suppress(OSError):
            if path in path.parent.iterdir() and stat.S_ISREG((status := path.lstat()).st_mode):
                name = ModelName(name.host, name.namespace, name.model, name.tag)
                return ManifestFile(name, str(path), _stamp(status))
        wanted = _folded(name)
        return next((file for file in self.files() if _folded(file.name) == wanted), None)

    def spelling(self, name: ModelName) -> ModelName:
        """`name` with each part spelled as it already is somewhere on the disk, if it is (contract 2.1)."""
        wanted, spelled = _folded(name), [name.host, name.namespace, name.model, name.tag]
        exact = [False] * _DEPTH
        for file in self.files():
            existing = (file.name.host, file.name.namespace, file.name.model, file.name.tag)
            for place, part in enumerate(existing):
                if part.casefold() == wanted[place] and not exact[place]:
                    exact[place] = part == spelled[place]
                    spelled[place] = part
        host, namespace, model, tag = spelled
        return ModelName(host, namespace, model, tag, scheme=name.scheme)

    def path(self, name: ModelName) -> Path:
        """Where the manifest of that name lies, or would lie, in exactly this spelling.

        Raises:
            RequestError: `invalid model name`.
        """
        name.check()
        return self.folder / name.host / name.namespace / name.model / name.tag

    def read(self, file: ManifestFile) -> tuple[bytes, float] | None:
        """A manifest's bytes, and when it was written (epoch seconds); None if it has gone meanwhile.

        Raises:
            CorruptManifestError: it is no regular file, or too large.
            StoreError: it cannot be read.
        """
        path = Path(file.path)
        with disk_errors(path):
            try:
                descriptor = os.open(path, _READ)
            except FileNotFoundError:
                return None
        with disk_errors(path), os.fdopen(descriptor, "rb") as opened:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
                raise CorruptManifestError(f"the manifest of {file.name} is corrupt", reason="no file, or too large")
            return opened.read(_LIMIT), status.st_mtime

    @contextmanager
    def prepared(self, content: bytes) -> Iterator[Path]:
        """A manifest on the disk, under no name yet, for `place`; it goes if it is not placed.

        Raises:
            DiskFullError: no room.
            StoreError: the system refused.
        """
        # It lies where no reader looks for manifests, should a crash leave it.
        with disk_errors(self.folder), synced_file(self.folder, content) as prepared:
            yield prepared

    def place(self, prepared: Path, name: ModelName) -> None:
        """Let a prepared manifest appear, atomically, in exactly this spelling. Quick; `sync` then makes it stay.

        Raises:
            RequestError: `invalid model name`.
            StoreError: the system refused; what was there before is untouched.
        """
        path = self.path(name)
        with disk_errors(path):
            for folder in reversed(_folders(path)):
                with suppress(FileExistsError):
                    folder.mkdir(mode=0o755)
            prepared.replace(path)

    def sync(self, name: ModelName) -> None:
        """See that a manifest survives a crash under its name.

        Raises:
            StoreError: the system refused.
        """
        path = self.path(name)
        with disk_errors(path), suppress(FileNotFoundError):  # removed meanwhile
            for folder in (*_folders(path), self.folder):
                sync_folder(folder)

    def remove(self, file: ManifestFile) -> None:
        """Remove a manifest and the folders it leaves empty."""
        path = Path(file.path)
        with disk_errors(path):
            path.unlink(missing_ok=True)
        self.remove_empty(path.parent)

    def remove_empty(self, folder: Path) -> None:
        """Remove a folder of the tree, and those above it, as far as they are empty."""
        with suppress(OSError):
            while folder != self.folder:
                folder.rmdir()
                folder = folder.parent


def _folders(path: Path) -> tuple[Path, ...]:
    """Those between a manifest and the tree's own folder, the innermost first."""
    return tuple(path.parents)[: _DEPTH - 1]


def _folded(name: ModelName) -> tuple[str, str, str, str]:
    return name.host.casefold(), name.namespace.casefold(), name.model.casefold(), name.tag.casefold()


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _walk(folder: str, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
    """Each regular file exactly `_DEPTH` deep, and the parts of its name."""
    with disk_errors(Path(folder)):
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=attrgetter("name"))
        except (FileNotFoundError, NotADirectoryError):  # removed meanwhile
            return
    for entry in entries:
        if len(parts) == _DEPTH - 1:
            if entry.is_file(follow_symlinks=False):
                yield (*parts, entry.name), entry
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, (*parts, entry.name))
