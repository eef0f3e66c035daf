"""The models folder, which is looked at without touching it: a server would make it, and sweep it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from camelid.cli.doctor.finding import Finding, note, ok, problem
from camelid.cli.sizes import human_bytes
from camelid.errors import CamelidError
from camelid.store.blobs import BlobStore
from camelid.store.manifest import decode_manifest
from camelid.store.manifest_tree import ManifestFile, ManifestTree

__all__ = ("look_at_models",)

_SUBJECT: Final = "models"
_LITTLE: Final = 5_000_000_000
"""Bytes; less is hardly a model."""


def look_at_models(folder: Path) -> Iterator[Finding]:
    """Whether the folder can be used, its free space, and every model that is not whole.

    Args:
        folder: the setting `models`; it need not exist.
    """
    if not folder.exists():
        yield _missing(folder)
        return
    if not folder.is_dir():
        yield problem(_SUBJECT, f"{folder} is no folder; let OLLAMA_MODELS name another")
        return
    if not os.access(folder, os.R_OK | os.X_OK):
        yield problem(_SUBJECT, f"{folder} cannot be read by this user; change that, or let OLLAMA_MODELS name another")
        return
    locked = [each for each in (folder, folder / "manifests", folder / "blobs") if not _writable(each)]
    if locked:
        yield problem(
            _SUBJECT,
            f"{locked[0]} cannot be written by this user: models run, but none can be pulled, made or removed; "
            "change that, or let OLLAMA_MODELS name another folder",
        )
    yield from _space(folder)
    tree, blobs = ManifestTree((folder / "manifests").resolve()), BlobStore((folder / "blobs").resolve())
    whole = 0
    try:
        for file in tree.files():
            fault = _fault(tree, blobs, file)
            if fault:
                yield problem(_SUBJECT, f"{file.name.short}: {fault}; pull or create it again, or remove it")
            else:
                whole += 1
    except CamelidError as error:
        yield problem(_SUBJECT, error.message)
        return
    yield ok(_SUBJECT, f"{whole} whole model{'' if whole == 1 else 's'} in {folder}")


def _writable(folder: Path) -> bool:
    return not folder.exists() or os.access(folder, os.W_OK | os.X_OK)


def _missing(folder: Path) -> Finding:
    parent = next(parent for parent in folder.absolute().parents if parent.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        return problem(_SUBJECT, f"{folder} does not exist, and this user may not make it in {parent}")
    return ok(_SUBJECT, f"{folder} does not exist yet; the server makes it")


def _space(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if free < _LITTLE:
        yield note("disk", f"only {human_bytes(free)} are free for {folder}")
    else:
        yield ok("disk", f"{human_bytes(free)} are free for {folder}")


def _fault(tree: ManifestTree, blobs: BlobStore, file: ManifestFile) -> str:
    """What is wrong with a model; empty if nothing is."""
    try:
        read = tree.read(file)
        if read is None:  # removed meanwhile
            return ""
        manifest = decode_manifest(read[0])
        for layer in (manifest.config, *manifest.layers):
            if not blobs.has(layer.digest):
                return f"the blob {layer.digest} is missing"
            size = blobs.size(layer.digest)
            if size != layer.size:
                return f"the blob {layer.digest} has {size} bytes instead of {layer.size}"
    except CamelidError as error:
        return f"{error.message} ({error.reason})" if error.reason else error.message
    return ""
