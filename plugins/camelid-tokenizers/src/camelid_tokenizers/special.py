"""Finding the tokens that are no text, or that are never cut, before everything else."""

from collections.abc import Iterator
from typing import Final

from camelid.types.vocabulary import Vocabulary

__all__ = ("SpecialTokens",)

_SPACES: Final = " \t\n\v\f\r"


class SpecialTokens:
    """Cuts text at special tokens: at the longest ones first, wherever they are, as llama.cpp does."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._strips_left, self._strips_right = vocabulary.strips_left, vocabulary.strips_right
        self._verbatim = _longest_first(vocabulary.verbatim)
        self._all = _longest_first(vocabulary.control | vocabulary.verbatim)

    def split(self, text: str, *, parse_special: bool) -> list[str | int]:
        """Runs of text, none of them empty, and tokens between them.

        Args:
            text: any.
            parse_special: find control tokens, too.
        """
        parts: list[str | int] = [text] if text else []
        for written, token in self._all if parse_special else self._verbatim:
            if written in text:
                parts = [piece for part in parts for piece in self._cut(part, written, token)]
        return parts

    def _cut(self, part: str | int, written: str, token: int) -> Iterator[str | int]:
        if isinstance(part, int):
            yield part
            return
        while True:
            before, found, after = part.partition(written)
            if found and token in self._strips_left:
                before = before.rstrip(_SPACES)
            if before:
                yield before
            if not found:
                return
            yield token
            part = after.lstrip(_SPACES) if token in self._strips_right else after


def _longest_first(tokens: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(tokens.items(), key=lambda item: -len(item[0].encode("utf-8", "replace")))
