"""Files that stand in a request as base64 (contract 3.5): pictures and sounds, in all dialects."""

import asyncio
import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from camelid.errors import RequestError

__all__ = ("decode_files",)

_LARGE: Final = 100_000
"""Characters that take about as long as a token."""
_LINE_BREAKS: Final = {ord("\r"): None, ord("\n"): None}
_ALPHABET: Final = re.compile(r"[A-Za-z0-9+/\r\n]*")


async def decode_files(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Files from their base64 texts; large ones are decoded beside the event loop, where streams must go on.

    Raises:
        RequestError: a text is no padded base64 of the standard alphabet; a data URI is none.
    """
    if sum(map(len, texts)) < _LARGE:
        return _decode_all(texts)
    return await asyncio.to_thread(_decode_all, texts)


def _decode_all(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(map(_decode, texts))


def _decode(text: str) -> bytes:
    try:
        return b64decode(text.translate(_LINE_BREAKS), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"illegal base64 data at input byte {_fault(text)}", reason=str(error)) from error


def _fault(text: str) -> int:
    """Where Go's decoder stops: at the first strange character, or where an incomplete group of four begins."""
    match = _ALPHABET.match(text)
    end = match.end() if match else 0
    if end < len(text) and text[end] != "=":
        return len(text[:end].encode())
    return end - len(text[:end].translate(_LINE_BREAKS)) % 4
