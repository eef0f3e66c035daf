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
_BREAKS: Final = re.compile(r"[\r\n]*")


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
    joined = text.translate(_LINE_BREAKS)
    try:
        if len(joined) % 4 or joined.endswith("==="):
            raise ValueError("not in groups of four")  # Python takes padding after a whole one
        return b64decode(joined, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"illegal base64 data at input byte {_fault(text)}", reason=str(error)) from error


def _fault(text: str) -> int:
    """Where Go's decoder stops.

    At the first strange character, where an incomplete group of four begins, or at padding that is out of place.
    """
    end = _end(_ALPHABET, text, 0)
    in_group = len(text[:end].translate(_LINE_BREAKS)) % 4
    if end == len(text):
        return end - in_group
    if text[end] != "=" or in_group < 2:
        return end
    after = _end(_BREAKS, text, end + 1)
    if in_group == 2:
        if after == len(text) or text[after] != "=":
            return after if after == len(text) else after - 1
        after = _end(_BREAKS, text, after + 1)
    return after


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
