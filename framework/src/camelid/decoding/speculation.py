"""Guessing several tokens ahead, to be verified in one batch (prompt lookup, and draft models).

What follows the last tokens is often what followed them before: names, quotations, code, tables. Where it is not, a
smaller model may know, if the user gave one. A guess costs a row in
the batch that is computed anyway; the sampler then chooses as ever, and the guess is right if it chose the same. The
answer is what it would be without guesses, at any temperature.
"""

from collections.abc import Callable
from collections.abc import Sequence as Many
from typing import Final

import numpy as np

from camelid.contracts.generation import BatchDecoder
from camelid.decoding.sequence import Sequence
from camelid.decoding.tokens import TokenArray

__all__ = ("Speculation", "continuation")

_NO_TOKENS: Final[TokenArray] = np.zeros(0, np.int32)
_LONGEST_MATCH: Final = 3
"""Tokens that have to have stood there before; longer ones are hardly better, shorter ones mostly chance."""
_MOST_SPEAKERS: Final = 4
"""Sequences beside which guessing can pay: with more of them a batch has no rows to spare."""
_MOST: Final = 12
"""Tokens of the longest guess."""
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

    def __init__(self, decoder: BatchDecoder, most: int, clock: Callable[[], float]) -> None:
        """Begin to learn.

        Args:
            decoder: may have a smaller model that guesses where nothing was said before.
            most: longest draft; -1 for no bound but that of this module.
            clock: seconds.
        """
        self._most = _MOST if most < 0 else most
        self._clock = clock
        self._ask = decoder.guess if type(decoder).guess is not BatchDecoder.guess else None
        self._seconds: dict[int, float] = {}
        self._asking = 0.0
        """Seconds that the smaller model takes for a token."""

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
            if sequence.constraint is not None or sequence.request.forced:
                continue  # it says by itself what is sure to follow
            prospects = sequence.prospects
            if prospects.pause:
                prospects.pause -= 1
                continue
            most = min(prospects.length, self._most, room - taken, sequence.room - 1)
            if most < 1:
                continue
            draft = continuation(sequence.known, most)
            if not len(draft) and self._pays(len(speakers), most, prospects.rate, most * self._asking):
                draft = self._asked(sequence, most)
            if len(draft) and self._pays(len(speakers), len(draft), prospects.rate):
                sequence.draft = draft
                taken += len(draft)

    def _asked(self, sequence: Sequence, most: int) -> TokenArray:
        """What the smaller model guesses, if there is one."""
        if self._ask is None or sequence.slot is None or sequence.request.media:
            return _NO_TOKENS
        started = self._clock()
        draft = np.asarray(self._ask(sequence.slot.sequence, sequence.known, most), np.int32)
        seconds = self._clock() - started
        if len(draft):
            self._asking += _HALF_LIFE * (seconds / len(draft) - self._asking)
        return draft

    def _pays(self, speakers: int, guessed: int, rate: float, cost: float = 0.0) -> bool:
        """Whether so many more rows, and `cost` seconds, are less than the steps that they are expected to save."""
        alone, together = self._seconds.get(speakers), self._seconds.get(speakers + guessed)
        if alone is None or together is None:
            return True
        return together + cost <= alone * (1 + rate * guessed / speakers)

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
            prospects.length = max(prospects.FIRST, right + 1)
            prospects.misses = 0
        else:
            prospects.length = prospects.FIRST
            prospects.misses = min(prospects.misses + 1, _LONGEST_PAUSE)
            prospects.pause = 2**prospects.misses
