"""The letters by which byte-level vocabularies write bytes: printable ones stand for themselves."""

from typing import Final

__all__ = ("bytes_of", "letters_of")

_PLAIN: Final = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS: Final = tuple(byte for byte in range(256) if byte not in set(_PLAIN))
_LETTERS: Final = {byte: 256 + place for place, byte in enumerate(_OTHERS)}
_BYTES: Final = {letter: byte for byte, letter in _LETTERS.items()}


def letters_of(data: bytes) -> str:
    """How bytes are written."""
    return data.decode("latin-1").translate(_LETTERS)


def bytes_of(text: str) -> bytes:
    """What was written; letters that stand for no byte are themselves."""
    try:
        return text.translate(_BYTES).encode("latin-1")
    except UnicodeEncodeError:
        plain = (chr(_BYTES.get(ord(letter), ord(letter))) for letter in text)
        return b"".join(letter.encode("latin-1" if ord(letter) < 256 else "utf-8", "replace") for letter in plain)
