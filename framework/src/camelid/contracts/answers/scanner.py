"""Reading an answer while it is being written: never deciding before the text says enough to decide."""

from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

__all__ = ("Scanner", "Steps")

_Result = TypeVar("_Result")

Steps: TypeAlias = Generator[None, None, _Result]
"""A reader that yields where it needs more text, and goes on when there is some."""


class Scanner:
    """The text of an answer from the first character that nobody has read.

    Every method that is a generator gives the same result however the text was cut into pieces.
    """

    __slots__ = ("_record", "_text", "ended")

    def __init__(self) -> None:
        self._text = ""
        self._record: list[str] | None = None
        self.ended = False
        """Whether nothing will follow what is here."""

    def feed(self, text: str) -> None:
        """Add a piece."""
        self._text += text

    def end(self) -> None:
        """There is no more."""
        self.ended = True

    def mark(self, before: str = "") -> None:
        """Remember what is taken from here on, and what was taken just before."""
        self._record = [before]

    def marked(self) -> str:
        """What was taken since the mark, which is forgotten."""
        record, self._record = self._record, None
        return "".join(record or ())

    def put_back(self, text: str) -> None:
        """Let text that was taken last be read again."""
        self._text = text + self._text

    def peek(self) -> Steps[str]:
        """The next character; empty at the end."""
        while not (self._text or self.ended):
            yield
        return self._text[:1]

    def space(self) -> Steps[str]:
        """Take white space."""
        while self._text == "" or self._text.isspace():
            if self.ended:
                break
            yield
        return self._take(len(self._text) - len(self._text.lstrip()))

    def accept(self, *tags: str) -> Steps[str]:
        """Take the tag that comes next; empty if none of them does.

        Args:
            tags: none is the beginning of another.
        """
        while True:
            found = next((tag for tag in tags if self._text.startswith(tag)), "")
            if found or self.ended or not any(tag.startswith(self._text) for tag in tags):
                return self._take(len(found))
            yield

    def until(self, *tags: str) -> Steps[tuple[str, str]]:
        """Take all up to and with the first of these tags.

        Returns:
            The text before the tag, and the tag; at the end of the answer that is empty.
        """
        before: list[str] = []
        tag = yield from self.copy_until(tags, before.append)
        return "".join(before), tag

    def before(self, characters: str) -> Steps[str]:
        """Take all before the first of these characters, or before the end."""
        taken: list[str] = []
        while True:
            place = min((self._text.find(each) for each in characters if each in self._text), default=len(self._text))
            taken.append(self._take(place))
            if self._text or self.ended:
                return "".join(taken)
            yield

    def copy_until(self, tags: tuple[str, ...], write: Callable[[str], None]) -> Steps[str]:
        """Pass text on as it comes, up to the first of some tags.

        Args:
            tags: none is the beginning of another. Without any, all that comes is passed on.
            write: takes text; never the beginning of a tag that may still be completed.

        Returns:
            The tag, which was taken; empty at the end of the answer.
        """
        while True:
            text = self._text
            place, tag = min(((text.find(tag), tag) for tag in tags if tag in text), default=(len(text), ""))
            certain = len(text) - (0 if self.ended else max((_overlap(text, each) for each in tags), default=0))
            if place or certain:
                before = self._take(min(place, certain))
                if before:
                    write(before)
            if tag and place <= certain:
                return self._take(len(tag))
            if self.ended:
                return ""
            yield

    def json(self) -> Steps[str]:
        """Take a JSON object or array, as far as brackets and quotes tell.

        Returns:
            Its text; the rest of the answer if it does not end there; empty if none begins here.
        """
        if (yield from self.peek()) not in ("{", "["):
            return ""
        depth = seen = 0
        quoted = escaped = False
        while True:
            for place, character in enumerate(self._text[seen:], seen):
                if escaped:
                    escaped = False
                elif quoted:
                    escaped, quoted = character == "\\", character != '"'
                elif character == '"':
                    quoted = True
                elif character in "{[":
                    depth += 1
                elif character in "}]":
                    depth -= 1
                    if not depth:
                        return self._take(place + 1)
            seen = len(self._text)
            if self.ended:
                return self._take(seen)
            yield

    def rest(self) -> Steps[str]:
        """Take all that is still to come."""
        text, _ = yield from self.until()
        return text

    def _take(self, count: int) -> str:
        taken, self._text = self._text[:count], self._text[count:]
        if self._record is not None:
            self._record.append(taken)
        return taken


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that is a beginning, but not all, of `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((size for size in range(longest, 0, -1) if tag.startswith(text[-size:])), 0)
