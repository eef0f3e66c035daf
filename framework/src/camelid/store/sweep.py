"""Housekeeping at start: what crashes and interrupted downloads left behind (contract 13.4)."""

import logging
import os
import time
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from camelid.errors import RequestError
from camelid.store.blobs import BlobStore
from camelid.store.digests import parse_digest
from camelid.store.folder_turn import GONE
from camelid.store.leases import Leases
from camelid.store.manifest_tree import ManifestTree
from camelid.store.transfer_partial import PREFIX as PARTIAL
from camelid.store.workplace import PREFIX, is_old_workplace

__all__ = ("rename_old_blobs", "sweep")

_GRACE_SECONDS = 3600.0
_PARTIAL_SECONDS = 24 * 3600.0
"""Longer for downloads that broke off: going on with them is what they are kept for."""
_log = logging.getLogger(__name__)


def rename_old_blobs(folder: Path) -> None:
    """Early versions of Ollama wrote `sha256:…`, which some systems do not allow in a name."""
    for path in folder.iterdir():
        target = folder / path.name.replace("sha256:", "sha256-", 1)
        if target != path and not target.exists():
            path.rename(target)


def sweep(blobs: BlobStore, tree: ManifestTree, used: AbstractSet[str]) -> None:
    """Remove what nobody uses and nobody is about to use, in the middle of `Leases.exclusive`.

    What was written within the hour is spared: other programs than this one know no leases.

    Args:
        blobs: unused blobs, files that are none, and old workplaces are removed from its folder.
        tree: temporary files and empty folders are removed from it.
        used: the digests that stay.
    """
    before = time.time() - _GRACE_SECONDS
    taken = blobs.leases.taken()
    for path in blobs.folder.iterdir():
        if path.name not in taken:
            why = _why_it_goes(path, before, used)
            if why:
                _discard(blobs.leases, path, why)
    for path in tree.folder.glob(".new-*"):
        _remove_old(path, before)
    for parent, _folders, _files in os.walk(tree.folder, topdown=False):
        tree.remove_empty(Path(parent))


def _blob_digest(path: Path) -> str | None:
    """The digest that a file in `blobs` is named after; None if it is no blob."""
    try:
        digest = parse_digest(path.name)
    except RequestError:
        return None
    return digest if path.name == digest.replace(":", "-") else None


def _is_old(path: Path, before: float) -> bool:
    try:
        return path.lstat().st_mtime < before
    except FileNotFoundError:
        return False


def _why_it_goes(path: Path, before: float, used: AbstractSet[str]) -> str:
    """What a file or folder in `blobs` is that nobody needs; empty if it stays."""
    if path.name.startswith(GONE):
        return "removed before"
    if path.name.startswith(PREFIX):
        return "the rest of an interrupted conversion" if is_old_workplace(path, before) else ""
    if path.is_dir() and not path.is_symlink():
        return ""
    digest = _blob_digest(path)
    if digest is not None:
        return "used by no model" if digest not in used and _is_old(path, before) else ""
    if path.name.startswith(PARTIAL):
        before += _GRACE_SECONDS - _PARTIAL_SECONDS
    return "the rest of an interrupted write" if _is_old(path, before) else ""


def _discard(leases: Leases, path: Path, why: str) -> None:
    try:
        leases.discard(path)
    except FileNotFoundError:
        pass
    except OSError as error:  # Windows renames no file that a worker has open; the next start does
        _log.warning("%s stays for now: %s", path.name, error)
    else:
        _log.info("removed %s: %s", path.name, why)


def _remove_old(path: Path, before: float) -> None:
    if _is_old(path, before):
        with suppress(OSError):  # a folder, or already gone
            path.unlink()
            _log.info("removed %s, the rest of an interrupted write", path.name)
