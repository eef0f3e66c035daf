"""Guessing several tokens ahead, to be verified in one batch (prompt lookup decoding).

What follows the last tokens is often what followed them before: names, quotations, code, tables. A guess costs a row in
the batch that is computed anyway; the sampler then chooses as ever, and the guess is right if it chose the same. The
answer is what it would be without guesses, at any temperature.
"""

from collections.abc import Sequence as Many
from typing import Final

import numpy as np

from camelid.decoding.sequence import Sequence
from camelid.decoding.tokens import TokenArray

__all__ = ("Speculation", "continuation")

_NO_TOKENS: Final[TokenArray] = np.zeros(0, np.int32)
_LONGEST_MATCH: Final = 3
"""Tokens that have to have stood there before; longer ones are hardly better, shorter ones mostly chance."""
_MOST_SPEAKERS: Final = 4
"""Sequences beside which guessing can pay: with more of them a batch has no rows to spare."""
_FIRST: Final = 3
_MOST: Final = 12
"""Tokens of the first guess and of the longest."""
_LONGEST_PAUSE: Final = 6
"""Power of two: tokens to generate before the next try, after many wrong guesses."""
_HALF_LIFE: Final = 0.2
"""Weight of the newest measurement."""


def continuation(tokens: TokenArray, most: int) -> TokenArray:
    """What followed the last tokens where they stood before, the latest time; empty if they never did.

    Media end it: nobody generates them.

    Args:
        tokens: int32, shape (any,).
        most: longest continuation, at least 1.
    """
    length = len(tokens)
    if length <= _LONGEST_MATCH:
        return _NO_TOKENS
    found = tokens[: length - _LONGEST_MATCH] == tokens[length - _LONGEST_MATCH]
    for offset in range(1, _LONGEST_MATCH):
        found &= tokens[offset : offset + len(found)] == tokens[length - _LONGEST_MATCH + offset]
    last = len(found) - 1 - int(found[::-1].argmax())
    if not found[last]:
        return _NO_TOKENS
    # What goes round in circles goes on in circles.
    draft: TokenArray = np.resize(tokens[last + _LONGEST_MATCH :], most)
    media = draft < 0
    return draft[: int(media.argmax())] if media.any() else draft


class Speculation:
    """Decides whose next tokens are guessed, and how many; learns what a row costs and how often guesses are right."""

    def __init__(self, most: int = -1) -> None:
        """Begin to learn; `most` bounds a draft, -1 for no bound but that of this module."""
        self._most = _MOST if most < 0 else most
        self._seconds: dict[int, float] = {}

    def guess(self, running: Many[Sequence], speakers: Many[Sequence], room: int) -> None:
        """Give each sequence the draft that is likely to pay.

        Args:
            running: all sequences; whoever does not speak loses the draft.
            speakers: those of them that generate in this step.
            room: rows that may be added to the batch.
        """
        for sequence in running:
            sequence.draft = _NO_TOKENS
        if len(speakers) > _MOST_SPEAKERS:
            return
        taken = 0
        for sequence in speakers:
            if not sequence.guessable:
                continue
            prospects = sequence.prospects
            if prospects.pause:
                prospects.pause -= 1
                continue
            most = min(prospects.length, self._most, room - taken, sequence.room - 1)
            draft = continuation(sequence.known, most) if most > 0 else _NO_TOKENS
            if len(draft) and self._pays(len(speakers), len(draft), prospects.rate):
                sequence.draft = draft
                taken += len(draft)

    def _pays(self, speakers: int, guessed: int, rate: float) -> bool:
        """Whether so many more rows cost less than the steps that they are expected to save, as far as is known."""
        alone, together = self._seconds.get(speakers), self._seconds.get(speakers + guessed)
        if alone is None or together is None:
            return True
        return together <= alone * (1 + rate * guessed / speakers)

    def took(self, rows: int, seconds: float) -> None:
        """A step without prompts took this long."""
        before = self._seconds.get(rows, seconds)
        self._seconds[rows] = before + _HALF_LIFE * (seconds - before)

    def learn(self, sequence: Sequence, right: int) -> None:
        """So many tokens of the sequence's draft were right."""
        guessed = len(sequence.draft)
        if not guessed:
            return
        prospects = sequence.prospects
        prospects.rate += _HALF_LIFE * (right / guessed - prospects.rate)
        if right == guessed:
            prospects.length = min(2 * prospects.length, _MOST)
            prospects.misses = 0
        elif right:
            prospects.length = max(_FIRST, right + 1)
            prospects.misses = 0
        else:
            prospects.length = _FIRST
            prospects.misses = min(prospects.misses + 1, _LONGEST_PAUSE)
            prospects.pause = 2**prospects.misses
        sequence.draft = _NO_TOKENS
