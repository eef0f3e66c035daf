"""Splits what a model writes into thinking and answer, piece by piece (contract 12.5)."""

from enum import Enum, auto

import msgspec

__all__ = ("Split", "ThinkingSplitter")


class Split(msgspec.Struct, frozen=True):
    """What one piece of output adds to the thinking and to the answer."""

    thinking: str = ""
    content: str = ""


class _State(Enum):
    OPENING = auto()
    """Nothing but white space, and perhaps a part of the opening tag, was seen."""
    THINKING_BEGINS = auto()
    """Inside; white space is dropped until the first thought."""
    THINKING = auto()
    CONTENT_BEGINS = auto()
    """After the closing tag; white space is dropped until the answer."""
    CONTENT = auto()


class ThinkingSplitter:
    """Splits one stream of text.

    Output that does not begin with the opening tag is all content. White space around the tags that begin a part is
    dropped. The split of a text does not depend on where it was cut into pieces.
    """

    def __init__(self, open_tag: str, close_tag: str, *, starts_inside: bool = False) -> None:
        """Begin.

        Args:
            open_tag: not empty.
            close_tag: not empty.
            starts_inside: the prompt already ended with the opening tag.
        """
        if not (open_tag and close_tag):
            raise ValueError("thinking tags must not be empty")
        self._open_tag = open_tag
        self._close_tag = close_tag
        self._state = _State.THINKING_BEGINS if starts_inside else _State.OPENING
        self._held = ""

    @classmethod
    def after(cls, prompt: str, tags: tuple[str, str]) -> "ThinkingSplitter":
        """A splitter for what follows `prompt`, which may have opened the thinking itself."""
        open_tag, close_tag = tags
        return cls(open_tag, close_tag, starts_inside=prompt.rstrip().endswith(open_tag))

    def feed(self, text: str) -> Split:
        """Take the next piece.

        Returns:
            What is certain now. The rest, which may turn out to be a tag or white space to drop, is held back.
        """
        self._held += text
        if self._state is _State.OPENING:
            self._open()
        if self._state is _State.THINKING_BEGINS:
            self._held = self._held.lstrip()
            if self._held:
                self._state = _State.THINKING
        thinking = self._think() if self._state is _State.THINKING else ""
        if self._state is _State.CONTENT_BEGINS:
            self._held = self._held.lstrip()
            if self._held:
                self._state = _State.CONTENT
        if self._state is not _State.CONTENT:
            return Split(thinking=thinking)
        content, self._held = self._held, ""
        return Split(thinking=thinking, content=content)

    def finish(self) -> Split:
        """End the stream.

        Returns:
            What was held back: the beginning of a tag that never came.
        """
        held, self._held = self._held, ""
        state, self._state = self._state, _State.CONTENT
        return Split(content=held) if state is _State.OPENING else Split(thinking=held)

    def _open(self) -> None:
        begun = self._held.lstrip()
        if begun.startswith(self._open_tag):
            self._held = begun[len(self._open_tag) :]
            self._state = _State.THINKING_BEGINS
        elif not self._open_tag.startswith(begun):
            self._state = _State.CONTENT

    def _think(self) -> str:
        """The thinking in what is held, up to the closing tag or what may become it."""
        thinking, found, rest = self._held.partition(self._close_tag)
        if found:
            self._held = rest
            self._state = _State.CONTENT_BEGINS
            return thinking
        keep = _overlap(thinking, self._close_tag)
        cut = len(thinking) - keep
        self._held = thinking[cut:]
        return thinking[:cut]


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that is a beginning, but not all, of `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((size for size in range(longest, 0, -1) if tag.startswith(text[-size:])), 0)
