"""Choosing the next token from logits, by Ollama's options (contract 3.1)."""

import os
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.random import default_rng

from camelid.contracts.generation import Logits
from camelid.contracts.sampler import Sampler
from camelid.errors import ModelError
from camelid.types.options import SamplingOptions

__all__ = ("LogitsSampler", "resolve_seed", "top_tokens")

TokenIds: TypeAlias = npt.NDArray[np.intp]
Weights: TypeAlias = npt.NDArray[np.float64]

_COLUMNS: Final = 128
"""Fewest columns of `top_tokens`."""
_NUCLEUS: Final = 1000
"""Tokens among which top-p is tried first."""


def resolve_seed(seed: int) -> int:
    """A seed of 32 bits: the request's own, or a random one for -1."""
    return int.from_bytes(os.urandom(4), "little") if seed == -1 else seed & 0xFFFF_FFFF


def top_tokens(logits: Logits, count: int) -> TokenIds:
    """The `count` most likely tokens, the best first; equal ones in the order of their ids.

    Of impossible tokens (minus infinity) it may leave out some.

    A partition of the whole vocabulary costs half a millisecond; this costs twenty microseconds. The vocabulary is cut
    into columns; the `count`-th largest of their maxima is no larger than the `count`-th largest of all, so whatever
    lies below it cannot be among the best. A few more than `count` are left, and sorted.
    """
    columns = max(_COLUMNS, 2 * count)
    rows = len(logits) // columns
    if rows > 1:
        maxima = logits[: rows * columns].reshape(rows, columns).max(axis=0)
        floor = np.partition(maxima, columns - count)[columns - count]
        tokens = np.flatnonzero(logits >= floor if floor > -np.inf else logits > floor)
    else:
        tokens = np.arange(len(logits))
    order = np.argsort(-logits[tokens], kind="stable")
    return tokens[order[:count]]


class LogitsSampler(Sampler):
    """The framework's sampler, for backends without one of their own.

    The order is that of llama.cpp's chain: penalties, top-k, typical-p, top-p, min-p, temperature. Equal seeds and
    equal logits give equal tokens.
    """

    def __init__(
        self,
        logits: Callable[[int], Logits],
        options: SamplingOptions,
        seed: int,
        prompt: Sequence[int],
        context_length: int,
    ) -> None:
        """Prepare one sequence.

        Args:
            logits: `BatchDecoder.logits`.
            options: what the request asked for.
            seed: 32 bits (`resolve_seed`).
            prompt: the prompt's tokens; penalties look back on them too.
            context_length: what `repeat_last_n` -1 stands for.
        """
        self._logits = logits
        self._options = options
        self._random = default_rng(seed)
        # A factor of zero or less makes no sense, and would make every repeated token infinitely likely.
        self._repeat = np.float32(options.repeat_penalty if options.repeat_penalty > 0 else 1.0)
        penalties = self._repeat != 1.0 or options.presence_penalty or options.frequency_penalty
        window = context_length if options.repeat_last_n < 0 else options.repeat_last_n
        biases = dict(options.logit_bias)
        self._biased = np.fromiter(biases, np.intp, len(biases))
        self._biases = np.fromiter(biases.values(), np.float32, len(biases))
        self._window: npt.NDArray[np.int32] | None = None
        self._seen = 0
        if penalties and window:
            recent = np.asarray(prompt[-window:], np.int32)
            self._seen = len(recent)
            # Counting does not depend on the order, so the newest token just replaces the oldest.
            self._window = np.zeros(window, np.int32)
            self._window[: self._seen] = recent

    def sample(self, row: int) -> int:
        """Choose a token from an output row of the last decoded batch, and accept it.

        Raises:
            ModelError: the logits are not numbers.
        """
        logits = self._logits(row)
        if len(self._biased):
            logits = self._shifted(logits)
        if self._window is not None:
            logits = self._penalised(logits, self._window)
        token = int(logits.argmax()) if self._options.temperature <= 0 else self._choose(logits)
        if not np.isfinite(logits[token]):
            raise ModelError("the model computed no valid probabilities", reason=f"logit {logits[token]} in row {row}")
        self.accept(token)
        return token

    def accept(self, token: int) -> None:
        """Take note of a token for the penalties; of those that were not sampled, too."""
        if self._window is not None:
            self._window[self._seen % len(self._window)] = token
            self._seen += 1

    def _shifted(self, logits: Logits) -> Logits:
        """The logits, with what the client adds to some. Ids that this vocabulary does not have are left out."""
        known = self._biased < len(logits)
        shifted = logits.copy()
        shifted[self._biased[known]] += self._biases[known]
        return shifted

    def _penalised(self, logits: Logits, window: npt.NDArray[np.int32]) -> Logits:
        """The logits, lowered for tokens that stand in the window."""
        options = self._options
        tokens, counts = np.unique(window[: self._seen], return_counts=True)
        values = logits[tokens]
        values = np.where(values > 0, values / self._repeat, values * self._repeat)
        values -= (counts * options.frequency_penalty + options.presence_penalty).astype(np.float32)
        penalised = logits.copy()
        penalised[tokens] = values
        return penalised

    def _choose(self, logits: Logits) -> int:
        options, best = self._options, logits.max()
        if not np.isfinite(best):
            return int(logits.argmax())
        tokens, whole = self._candidates(logits, best)
        scores = (logits[tokens] - best).astype(np.float64)
        if 0 < options.typical_p < 1:
            kept = _typical(scores, options.typical_p)
            tokens, scores = tokens[kept], scores[kept]
            whole = float(np.exp(scores).sum())
        if options.top_p < 1:
            share = np.cumsum(np.exp(scores)) / whole
            count = int(np.searchsorted(share, options.top_p)) + 1
            tokens, scores = tokens[:count], scores[:count]
        scores -= scores.max()
        if options.min_p > 0:
            likely = scores >= np.log(min(options.min_p, 1.0))
            tokens, scores = tokens[likely], scores[likely]
        chances = np.cumsum(np.exp(scores / options.temperature))
        place = int(np.searchsorted(chances, self._random.random() * chances[-1], side="right"))
        return int(tokens[min(place, len(tokens) - 1)])

    def _candidates(self, logits: Logits, best: np.float32) -> tuple[TokenIds, float]:
        """The tokens that top-k leaves, the best first if the next cuts need that, and the weight of all it left.

        Weights are relative to the most likely token. Without top-k, top-p nearly always ends among the first thousand:
        the others then only have to be summed, not sorted.
        """
        options, size = self._options, len(logits)
        if 0 < options.top_k < size:
            tokens = top_tokens(logits, options.top_k)
            return tokens, float(np.exp(logits[tokens] - best).sum(dtype=np.float64))
        weights = np.exp(logits - best)
        whole = float(weights.sum(dtype=np.float64))
        if 0 < options.typical_p < 1:
            return top_tokens(logits, size), whole
        if options.top_p >= 1:
            return np.arange(size), whole
        tokens = top_tokens(logits, _NUCLEUS)
        enough = float(weights[tokens].sum(dtype=np.float64)) >= options.top_p * whole
        return (tokens if enough else top_tokens(logits, size)), whole


def _softmax(scores: Weights) -> Weights:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum(), np.float64)


def _typical(scores: Weights, mass: float) -> TokenIds:
    """Places of the tokens whose surprise is nearest to the expected one, up to a probability of `mass`, in order."""
    chances = _softmax(scores)
    surprise = -np.log(np.maximum(chances, np.finfo(np.float64).tiny))
    expected = float((chances * surprise).sum())
    order = np.argsort(np.abs(surprise - expected), kind="stable")
    count = int(np.searchsorted(np.cumsum(chances[order]), mass, side="right")) + 1
    return np.sort(order[:count])
