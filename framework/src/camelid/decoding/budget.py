"""How many prompt tokens a step computes, and whose."""

from collections.abc import Sequence
from typing import Final

__all__ = ("PromptPace", "fair_shares")


def fair_shares(pending: Sequence[int], budget: int, turn: int) -> list[int]:
    """Divide a step's tokens among prompts: equal shares, and what the short ones leave goes to the longer ones.

    Args:
        pending: tokens that each prompt still needs, each at least 1.
        budget: tokens to give away.
        turn: any number that grows from step to step; where there are fewer tokens than prompts, it says who is next.

    Returns:
        One share for each prompt, none above its need.
    """
    count = len(pending)
    shares = [0] * count
    if budget < count:
        for offset in range(budget):
            shares[(turn + offset) % count] = 1
        return shares
    for rank, index in enumerate(sorted(range(count), key=pending.__getitem__)):
        shares[index] = min(pending[index], budget // (count - rank))
        budget -= shares[index]
    return shares


class PromptPace:
    """Bounds the prompt tokens of a step by the time they take, as measured.

    While others generate, a prompt must not make them wait; while nobody does, a step still has to be short enough to
    notice a cancelled or a new request.
    """

    BESIDE_OTHERS: Final = 0.1
    """Seconds that prompts may add to a step in which others generate."""
    ALONE: Final = 1.0
    """Seconds that a step of prompts alone may take."""
    SMALLEST: Final = 16
    """Tokens of the smallest bound: fewer cost about as much."""

    def __init__(self, batch_tokens: int) -> None:
        self._batch_tokens = batch_tokens
        self._seconds = 0.0

    def bound(self, *, others: bool) -> int:
        """Most prompt tokens of the next step; `others`: whether sequences generate in it."""
        if not self._seconds:
            return max(
                min(self.SMALLEST, self._batch_tokens), self._batch_tokens // 4 if others else self._batch_tokens
            )
        tokens = int((self.BESIDE_OTHERS if others else self.ALONE) / self._seconds)
        return min(max(tokens, self.SMALLEST), self._batch_tokens)

    def observe(self, tokens: int, seconds: float) -> None:
        """A step with this many prompt tokens took this long. Small ones say nothing about the cost of a token."""
        if tokens >= self.SMALLEST and seconds > 0:
            each = seconds / tokens
            self._seconds = 0.7 * self._seconds + 0.3 * each if self._seconds else each
