"""JSON as Go's encoder writes it: `<`, `>`, `&` and two line separators escaped (contract 1.3)."""

import msgspec

__all__ = ("encode", "encode_text")

_encoder = msgspec.json.Encoder()


def _escape(encoded: bytes) -> bytes:
    """Replace what Go escapes and msgspec does not.

    None of these bytes can stand outside of a string, so the whole text may be searched.
    """
    if b"<" in encoded:
        encoded = encoded.replace(b"<", rb"\u003c")
    if b">" in encoded:
        encoded = encoded.replace(b">", rb"\u003e")
    if b"&" in encoded:
        encoded = encoded.replace(b"&", rb"\u0026")
    if b"\xe2\x80" in encoded:
        encoded = encoded.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")
    return encoded


def encode(value: object) -> bytes:
    """One JSON value without whitespace. Structs are written in the order of their fields."""
    return _escape(_encoder.encode(value))


def encode_text(text: str) -> bytes:
    """A JSON string with its quotes."""
    return _escape(_encoder.encode(text))
