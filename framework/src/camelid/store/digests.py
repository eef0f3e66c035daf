"""Digests: `sha256:` and 64 lower-case hex digits (contract 7.6, 13.1)."""

import re
from hashlib import sha256

from camelid.errors import RequestError

__all__ = ("digest_of", "parse_digest")

_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")


def parse_digest(text: str) -> str:
    """The canonical form of a digest, which may be written `sha256-…` and in capitals.

    Raises:
        RequestError: `invalid digest format`.
    """
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise RequestError("invalid digest format", reason=f"{text[:100]!r} is not sha256:<64 hex digits>")
    return f"sha256:{match[1].lower()}"


def digest_of(content: bytes) -> str:
    """The digest of bytes in memory."""
    return f"sha256:{sha256(content).hexdigest()}"
