"""Compressed request bodies (contract 1.2): zstd, below `/v1` only."""

import sys
from importlib import import_module
from typing import Final

from camelid.errors import MissingDependencyError, RequestError

__all__ = ("decompressed",)

_MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_MOST_FRAMES: Final = 64
"""Each costs a copy of what comes after it."""
_LARGEST: Final = 20 << 20
"""Bytes, after decompression."""
_WINDOW: Final = 23
"""Binary logarithm of the most bytes that a decompressor may have to remember."""


def decompressed(body: bytes) -> bytes:
    """A request's body without its zstd compression.

    Args:
        body: one frame, or several one after another.

    Raises:
        RequestError: it is no zstd, it is cut off, or what it holds is too large.
        MissingDependencyError: the library is not installed.
    """
    try:
        zstd = import_module(_MODULE)
    except ImportError as error:
        raise MissingDependencyError(
            "the server cannot read zstd: install backports.zstd beside it, or send the body as it is",
            reason=str(error),
        ) from error
    parts: list[bytes] = []
    room = _LARGEST
    if len(body) > _LARGEST:
        raise RequestError("failed to decompress request body", reason=f"it has {len(body)} bytes itself")
    while body:
        if len(parts) == _MOST_FRAMES:
            raise RequestError("failed to decompress request body", reason=f"more than {_MOST_FRAMES} frames")
        reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW})
        try:
            part: bytes = reader.decompress(body, max_length=room + 1)
        except zstd.ZstdError as error:
            raise RequestError("failed to decompress request body", reason=str(error)) from error
        if len(part) > room or not reader.eof:
            reason = f"more than {_LARGEST} bytes" if len(part) > room else "the end is missing"
            raise RequestError("failed to decompress request body", reason=reason)
        parts.append(part)
        room -= len(part)
        body = reader.unused_data
    return b"".join(parts)
