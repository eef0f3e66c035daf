"""Penalties on tokens that occurred lately (contract 3.1), applied to the few logits they concern.

llama.cpp's own sampler looks up every token of the vocabulary, which takes longer than all other sampling together.
"""

from collections import Counter, deque
from collections.abc import Iterable

from camelid.types.options import SamplingOptions

__all__ = ("Penalties",)


class Penalties:
    """The last tokens of one sequence, and what repeating them costs."""

    def __init__(self, options: SamplingOptions, context_length: int, prompt: Iterable[int]) -> None:
        """Look back on the end of the prompt first.

        Args:
            options: the request's; a `repeat_penalty` that is not positive counts as 1, which is off.
            context_length: what `repeat_last_n` -1 stands for.
            prompt: its tokens.
        """
        self._repeat = options.repeat_penalty if options.repeat_penalty > 0 else 1.0
        self._presence = options.presence_penalty
        self._frequency = options.frequency_penalty
        reach = context_length if options.repeat_last_n < 0 else options.repeat_last_n
        neutral = self._repeat == 1 and self._presence == 0 and self._frequency == 0
        self.active = reach > 0 and not neutral
        """Whether there is anything to do."""
        self._window: deque[int] = deque(prompt if self.active else (), maxlen=reach)
        self._counts = Counter(self._window)

    def accept(self, token: int) -> None:
        """Remember the token that was chosen."""
        if not self.active:
            return
        if len(self._window) == self._window.maxlen:
            oldest = self._window[0]
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
        self._window.append(token)
        self._counts[token] += 1

    def apply(self, logits: "memoryview[float]") -> list[tuple[int, float]]:
        """Write the penalised logits.

        Element by element, which for a few dozen tokens beats array operations: between two computations of the model
        the processor's caches hold little of Python and NumPy, and a loop needs little.

        Args:
            logits: float32, one for each token of the vocabulary.

        Returns:
            The tokens concerned, and the logits they had.
        """
        kept = [(token, logits[token]) for token in self._counts]
        for token, logit in kept:
            scaled = logit * self._repeat if logit <= 0 else logit / self._repeat
            logits[token] = scaled - self._counts[token] * self._frequency - self._presence
        return kept
