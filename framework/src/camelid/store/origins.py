"""Which blobs came from where, of those whose digest nobody announced: what is here is not fetched again."""

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from camelid.contracts.registry import BlobSource
from camelid.errors import RequestError
from camelid.store.digests import parse_digest
from camelid.store.durable import replace_file
from camelid.store.transfer_key import is_versioned, version_key

__all__ = ("Origins",)

_log = logging.getLogger(__name__)

_LONGEST: Final = 100
"""Bytes of a file; a digest has 71."""
_GRACE_SECONDS: Final = 3600.0


class Origins:
    """A folder with a file for each version of an address, which holds a digest. Losing it costs downloads only."""

    def __init__(self, folder: Path) -> None:
        """Bind; the folder is made when there is something to remember.

        Args:
            folder: absolute. Where it cannot be written, nothing is remembered.
        """
        self._folder = folder

    def find(self, blob: BlobSource) -> str:
        """The digest that a blob turned out to have; empty if it was never here, or is not versioned."""
        if not is_versioned(blob):
            return ""
        return _read(self._folder / version_key(blob))

    def remember(self, blob: BlobSource, digest: str) -> None:
        """That blob has this digest."""
        if not is_versioned(blob):
            return
        try:
            replace_file(self._folder / version_key(blob), digest.encode())
        except OSError as error:
            _log.debug("where %s came from is not remembered: %s", digest, error)

    def sweep(self, blobs: Path) -> None:
        """Remove what is known of blobs that are not in a folder any more, unless it is young."""
        before = time.time() - _GRACE_SECONDS
        with suppress(OSError):
            for path in self._folder.iterdir():
                digest = _read(path)
                if not (digest and (blobs / digest.replace(":", "-")).exists()) and path.lstat().st_mtime < before:
                    path.unlink()


def _read(path: Path) -> str:
    """The digest in a file; empty if there is none."""
    try:
        with path.open("rb") as file:
            return parse_digest(file.read(_LONGEST).decode("ascii", "replace"))
    except (OSError, RequestError):
        return ""
