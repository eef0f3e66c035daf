"""Request values that have a syntax of their own (contract 3.3, 3.5)."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable

from camelid.errors import RequestError
from camelid.types.json import JsonValue

__all__ = ("parse_images", "parse_think")

_LEVELS = ("high", "medium", "low", "max")
_LINE_BREAKS = {ord("\r"): None, ord("\n"): None}
_ALPHABET = re.compile(r"[A-Za-z0-9+/\r\n]*")


def parse_think(value: JsonValue) -> bool | str | None:
    """`think` of a request; None = automatic.

    Raises:
        RequestError: neither a boolean nor a level.
    """
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise RequestError('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if value not in _LEVELS:
        raise RequestError(f'invalid think value: "{value}" (must be "high", "medium", "low", "max", true, or false)')
    return value


def parse_images(images: Iterable[str]) -> tuple[bytes, ...]:
    """Files from their base64 texts.

    Raises:
        RequestError: a text is no padded base64 of the standard alphabet; a data URI is none.
    """
    return tuple(_decode_base64(text) for text in images)


def _decode_base64(text: str) -> bytes:
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
