"""Files that stand in a request as base64 (contract 3.5): pictures and sounds, in all dialects."""

import asyncio
import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from camelid.errors import RequestError

__all__ = ("decode_files",)

_AT_ONCE: Final = 1 << 17
"""Characters, which take a fraction of a millisecond."""
_LINE_BREAKS: Final = {ord("\r"): None, ord("\n"): None}
_ALPHABET: Final = re.compile(r"[A-Za-z0-9+/\r\n]*")
_BREAKS: Final = re.compile(r"[\r\n]*")


async def decode_files(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Files from their base64 texts, piece by piece: between two pieces the event loop does what else is to be done.

    A thread would not help, for decoding keeps the interpreter to itself.

    Raises:
        RequestError: a text is no padded base64 of the standard alphabet; a data URI is none.
    """
    return tuple([await _decode(text) for text in texts])


async def _decode(text: str) -> bytes:
    pieces: list[bytes] = []
    rest = ""
    try:
        for place in range(0, len(text), _AT_ONCE):
            joined = rest + text[place : place + _AT_ONCE].translate(_LINE_BREAKS)
            whole = max(0, len(joined) - 1) // 4 * 4  # the last group may have padding
            if "=" in joined[:whole]:
                raise ValueError("padding within the text")
            pieces.append(b64decode(joined[:whole], validate=True))
            rest = joined[whole:]
            await _let_others_go_on(place, text)
        if len(rest) % 4 or rest.endswith("==="):
            raise ValueError("not in groups of four")  # Python takes padding after a whole one
        return b"".join((*pieces, b64decode(rest, validate=True)))
    except (binascii.Error, ValueError) as error:
        place = await _fault(text)
        raise RequestError(f"illegal base64 data at input byte {place}", reason=str(error)) from error


async def _let_others_go_on(place: int, text: str) -> None:
    if place + _AT_ONCE < len(text):
        await asyncio.sleep(0)


async def _fault(text: str) -> int:
    """Where Go's decoder stops.

    At the first strange character, where an incomplete group of four begins, or at padding that is out of place.
    """
    end, letters = await _end(_ALPHABET, text, 0)
    in_group = letters % 4
    if end == len(text):
        return end - in_group
    if text[end] != "=" or in_group < 2:
        return end
    after, _ = await _end(_BREAKS, text, end + 1)
    if in_group == 2:
        if after == len(text) or text[after] != "=":
            return after if after == len(text) else after - 1
        after, _ = await _end(_BREAKS, text, after + 1)
    return after


async def _end(pattern: re.Pattern[str], text: str, start: int) -> tuple[int, int]:
    """Where characters of a kind end that begin at `start`, and how many of them break no line."""
    end, letters = start, 0
    for place in range(start, len(text), _AT_ONCE):
        match = pattern.match(text, place, place + _AT_ONCE)
        end = place if match is None else match.end()
        letters += len(text[place:end].translate(_LINE_BREAKS))
        if end < min(place + _AT_ONCE, len(text)):
            break
        await _let_others_go_on(place, text)
    return end, letters
