"""Where a JSON text breaks, in the words of Go's decoder (contract 1.2).

msgspec decodes the requests. This slower reader is asked only when msgspec refuses one: to find where the first
value ends (what follows it is ignored), or to say what is wrong.
"""

import re

from camelid.errors import RequestError

__all__ = ("first_value",)

_MAX_DEPTH = 10_000

_SPACE = re.compile(rb"[ \t\r\n]*")
_CHARACTERS = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]+")
_INTEGER = re.compile(rb"0|[1-9][0-9]*")
_LITERALS = {b"t": b"true", b"f": b"false", b"n": b"null"}


def first_value(text: bytes) -> bytes:
    """The bytes of the first JSON value in `text`.

    Raises:
        RequestError: there is none, or it is malformed.
    """
    reader = _Reader(text)
    reader.skip_space()
    start = reader.position
    reader.value()
    return text[start : reader.position]


class _Reader:
    """A position in a text that is moved over one syntactic element after the other."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.position = 0

    def value(self) -> None:
        """Move over one value, however deep, without recursion."""
        closers: list[bytes] = []
        while True:
            self.skip_space()
            opener = self.peek()
            if opener in (b"{", b"["):
                if len(closers) == _MAX_DEPTH:
                    raise RequestError("exceeded max depth")
                closer = b"}" if opener == b"{" else b"]"
                self.position += 1
                self.skip_space()
                if self.peek() == closer:
                    self.position += 1
                else:
                    closers.append(closer)
                    if closer == b"}":
                        self.key()
                    continue
            else:
                self.scalar()
            if not self.close(closers):
                return

    def close(self, closers: list[bytes]) -> bool:
        """After a value: move over what it completes. True if another value must follow."""
        while closers:
            self.skip_space()
            byte = self.peek()
            if byte == b",":
                self.position += 1
                if closers[-1] == b"}":
                    self.key()
                return True
            if byte != closers[-1]:
                raise self.invalid("after object key:value pair" if closers[-1] == b"}" else "after array element")
            self.position += 1
            closers.pop()
        return False

    def key(self) -> None:
        """Move over the key of an object and its colon."""
        self.skip_space()
        if self.peek() != b'"':
            raise self.invalid("looking for beginning of object key string")
        self.string()
        self.skip_space()
        if self.peek() != b":":
            raise self.invalid("after object key")
        self.position += 1

    def scalar(self) -> None:
        byte = self.peek()
        if byte == b'"':
            self.string()
        elif byte == b"-" or byte.isdigit():
            self.number()
        elif byte in _LITERALS:
            self.literal(_LITERALS[byte])
        else:
            raise self.invalid("looking for beginning of value")

    def string(self) -> None:
        self.position += 1
        while True:
            self.skip(_CHARACTERS)
            byte = self.peek()
            if byte not in (b'"', b"\\"):
                raise self.invalid("in string literal")
            self.position += 1
            if byte == b'"':
                return
            self.escape()

    def escape(self) -> None:
        """Move over what follows a backslash."""
        if self.peek() not in (b'"', b"\\", b"/", b"b", b"f", b"n", b"r", b"t", b"u"):
            raise self.invalid("in string escape code")
        digits = 4 if self.peek() == b"u" else 0
        self.position += 1
        for _ in range(digits):
            if self.peek() not in b"0123456789abcdefABCDEF":
                raise self.invalid(r"in \u hexadecimal character escape")
            self.position += 1

    def number(self) -> None:
        if self.peek() == b"-":
            self.position += 1
            self.expect(_INTEGER, "in numeric literal")
        else:
            self.skip(_INTEGER)
        if self.text.startswith(b".", self.position):
            self.position += 1
            self.expect(_DIGITS, "after decimal point in numeric literal")
        if self.text.startswith((b"e", b"E"), self.position):
            self.position += 1
            if self.peek() in (b"+", b"-"):
                self.position += 1
            self.expect(_DIGITS, "in exponent of numeric literal")

    def literal(self, word: bytes) -> None:
        for expected in word:
            if self.peek() != bytes((expected,)):
                raise self.invalid(f"in literal {word.decode()} (expecting '{chr(expected)}')")
            self.position += 1

    def peek(self) -> bytes:
        """The byte here; the text must not end."""
        byte = self.text[self.position : self.position + 1]
        if not byte:
            raise RequestError("unexpected EOF")
        return byte

    def skip_space(self) -> None:
        self.skip(_SPACE)

    def skip(self, pattern: re.Pattern[bytes]) -> None:
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()

    def expect(self, pattern: re.Pattern[bytes], context: str) -> None:
        self.peek()
        if pattern.match(self.text, self.position) is None:
            raise self.invalid(context)
        self.skip(pattern)

    def invalid(self, context: str) -> RequestError:
        """The byte here does not belong here."""
        return RequestError(f"invalid character {_quote(self.text[self.position])} {context}")


def _quote(byte: int) -> str:
    """A byte between single quotes, as Go's `strconv` writes it."""
    escapes = {0x27: r"\'", 0x5C: r"\\", 0x07: r"\a", 0x08: r"\b", 0x09: r"\t", 0x0A: r"\n", 0x0B: r"\v", 0x0C: r"\f"}
    escapes[0x0D] = r"\r"
    if byte in escapes:
        return f"'{escapes[byte]}'"
    character = chr(byte)
    if character.isprintable():
        return f"'{character}'"
    return rf"'\x{byte:02x}'" if byte < 0x80 else rf"'\u{byte:04x}'"
