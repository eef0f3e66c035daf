"""What a download is known by: the blob's digest, or who announced it and as what, where nobody knows its digest."""

import secrets
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import psutil

from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource

__all__ = ("download_key", "is_versioned", "partial_key", "version_key")

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def is_versioned(blob: BlobSource) -> bool:
    """Whether two readings of it give the same bytes, or it is told that they do not."""
    return bool(blob.digest or (blob.version and blob.size != UNKNOWN_SIZE))


def version_key(blob: BlobSource) -> str:
    """Of a blob whose digest is unknown: what has the same key has the same bytes, if it is versioned."""
    return _hashed(blob.url, blob.version, str(blob.size))


def download_key(blob: BlobSource) -> str:
    """What those who want the same blob share a download by: its digest as announced, or its version."""
    return blob.digest or f"version:{version_key(blob)}"


def partial_key(blob: BlobSource) -> str:
    """What the part of it that is here is found by later, so that a try goes on where another one ended.

    A digest tells at the end whether a power failure damaged what was here. Where there is none, what was written
    before the machine last started is left alone, and what is not versioned is never found again.
    """
    if blob.digest:
        return blob.digest
    since = _start_of_machine() if is_versioned(blob) else secrets.token_hex(16)
    return f"version:{_hashed(version_key(blob), since)}"


@cache
def _start_of_machine() -> str:
    """The same until the machine starts again; at worst it changes too often."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _hashed(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()
