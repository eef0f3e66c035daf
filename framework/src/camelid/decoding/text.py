"""Bytes of tokens become text for clients: complete UTF-8 only, and nothing of a stop string."""

from codecs import getincrementaldecoder
from collections.abc import Iterable

__all__ = ("TextAssembler",)

_Utf8Decoder = getincrementaldecoder("utf-8")


class _StopString:
    """Recognises one stop string, character by character (Knuth, Morris, Pratt)."""

    __slots__ = ("_fallback", "matched", "word")

    def __init__(self, word: str) -> None:
        self.word = word
        self.matched = 0
        """How many characters at the end of the text so far could be the beginning of the stop string."""
        self._fallback = _fallbacks(word)

    def advance(self, character: str) -> bool:
        """Take one character; true once the stop string is complete."""
        word, matched = self.word, self.matched
        while matched and word[matched] != character:
            matched = self._fallback[matched]
        if word[matched] == character:
            matched += 1
        self.matched = matched
        return matched == len(word)


def _fallbacks(word: str) -> list[int]:
    """For each length of a matched beginning of `word`, the longest shorter beginning that it also ends with."""
    fallback = [0] * (len(word) + 1)
    matched = 0
    for index in range(1, len(word)):
        while matched and word[matched] != word[index]:
            matched = fallback[matched]
        if word[matched] == word[index]:
            matched += 1
        fallback[index + 1] = matched
    return fallback


class TextAssembler:
    """The text of one answer, as its bytes arrive.

    Bytes of an unfinished character are held back, and so is text that may turn out to be the beginning of a stop
    string. The stop string that is complete first ends the text in front of it; of several that are complete at the
    same character the longest counts. So the text never depends on how the bytes were cut. Bytes that are no UTF-8
    become U+FFFD. The cost of a piece is proportional to its length.
    """

    __slots__ = ("_decoder", "_first", "_held", "_stops", "decoded", "released", "stop")

    def __init__(self, stops: Iterable[str] = ()) -> None:
        self._decoder = _Utf8Decoder("replace")
        words = {word for word in stops if word}
        self._stops = [_StopString(word) for word in words]
        self._first = frozenset(word[0] for word in words)
        self._held = ""
        self.decoded = 0
        """Characters seen so far."""
        self.released = 0
        """Characters given out so far; after a stop, where the text ends."""
        self.stop = ""
        """The stop string that has ended the text."""

    @property
    def stopped(self) -> bool:
        """Whether a stop string has ended the text."""
        return bool(self.stop)

    def feed(self, data: bytes) -> str:
        """Add bytes; take out the text that is certain now. Nothing comes after a stop."""
        return "" if self.stopped else self._scan(self._decoder.decode(data))

    def finish(self) -> str:
        """There is no more: take out what was held back."""
        return "" if self.stopped else self._scan(self._decoder.decode(b"", final=True), last=True)

    def _scan(self, text: str, *, last: bool = False) -> str:
        """Pass on what can be no part of a stop string."""
        self.decoded += len(text)
        if not self._held and self._first.isdisjoint(text):
            return self._release(text)
        pending = self._held + text
        for index, character in enumerate(text, len(self._held)):
            complete = [stop.word for stop in self._stops if stop.advance(character)]
            if complete:
                self.stop = max(complete, key=len)
                return self._release(pending[: index + 1 - len(self.stop)])
        held = 0 if last else max(stop.matched for stop in self._stops)
        self._held = pending[len(pending) - held :]
        return self._release(pending[: len(pending) - held])

    def _release(self, text: str) -> str:
        self.released += len(text)
        return text
