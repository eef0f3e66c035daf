"""The headers of the model files in the store, remembered on the disk.

Stepping over a vocabulary takes 50 ms, and a list of 500 models needs 500 headers. A blob never changes, so what its
header says is kept beside it, for all who use this folder and for the next start.
"""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from camelid.contracts.gguf_values import Array, Value
from camelid.errors import InvalidModelFileError
from camelid.store.durable import replace_file
from camelid.store.gguf import GGUFHeader, read_header
from camelid.store.summary import HeaderSummary, summarize

__all__ = ("Headers",)

_log = logging.getLogger(__name__)

_FORMAT: Final = 3
"""Raise it when what is written here changes its shape or its meaning."""
_GRACE_SECONDS: Final = 3600.0


class _Record(msgspec.Struct, frozen=True):
    """One file of the folder."""

    format: int
    size: int
    """Of the blob; another size means that it was damaged or replaced."""
    summary: HeaderSummary
    header: msgspec.Raw


class Headers:
    """A folder with a file for each GGUF blob, named as the blob. Losing it costs nothing but time."""

    def __init__(self, folder: Path) -> None:
        """Bind; the folder is made when there is something to remember.

        Args:
            folder: absolute. Where it cannot be written, nothing is remembered.
        """
        self._folder = folder

    def summary(self, blob: Path) -> HeaderSummary:
        """The facts of a blob's header.

        Raises:
            InvalidModelFileError: it is no GGUF file, or a broken one.
        """
        return (self._remembered(blob) or self._read(blob)).summary

    def header(self, blob: Path) -> GGUFHeader:
        """The whole header of a blob; its arrays are still in the blob.

        Raises:
            InvalidModelFileError: it is no GGUF file, or a broken one.
        """
        record = self._remembered(blob)
        if record is not None:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                return _with_path(msgspec.msgpack.decode(record.header, type=GGUFHeader), str(blob))
        return read_header(blob)

    def forget(self, name: str) -> None:
        """The blob of that file name is gone."""
        with suppress(OSError):
            (self._folder / name).unlink()

    def sweep(self, blobs: Path) -> None:
        """Remove what belongs to no blob of a folder, unless it is young: somebody may just be storing it."""
        before = time.time() - _GRACE_SECONDS
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if not (blobs / entry.name).exists() and entry.stat(follow_symlinks=False).st_mtime < before:
                    self.forget(entry.name)

    def _remembered(self, blob: Path) -> _Record | None:
        try:
            record = msgspec.msgpack.decode((self._folder / blob.name).read_bytes(), type=_Record)
            return record if record.format == _FORMAT and record.size == blob.lstat().st_size else None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _read(self, blob: Path) -> _Record:
        try:
            size = blob.lstat().st_size
        except OSError as error:
            raise InvalidModelFileError("the model file cannot be opened", reason=str(error)) from error
        header = read_header(blob)
        encoded = msgspec.msgpack.encode(_with_path(header, ""))
        record = _Record(_FORMAT, size, summarize(header), msgspec.Raw(encoded))
        try:
            replace_file(self._folder / blob.name, msgspec.msgpack.encode(record))
        except OSError as error:
            _log.debug("the header of %s is not remembered: %s", blob.name, error)
        return record


def _with_path(header: GGUFHeader, path: str) -> GGUFHeader:
    """The header with its arrays in another file; on the disk that is left open, for folders are moved."""
    metadata: dict[str, Value] = {
        key: msgspec.structs.replace(value, path=path) if isinstance(value, Array) else value
        for key, value in header.metadata.items()
    }
    return GGUFHeader(header.version, metadata, header.tensors)
