"""One answer that has to be of a grammar's language."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher

from camelid.contracts.generation import Logits
from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.grammar_source import fault_text
from camelid.decoding.sampling import LogitsSampler
from camelid.errors import RequestError

__all__ = ("Constraint",)

_Allowed: TypeAlias = npt.NDArray[np.bool_]


class Constraint:
    """Where an answer stands in its grammar. What the KV cache holds of the answer does not matter to it."""

    def __init__(self, matcher: LLMatcher, tokenizer: Tokenizer) -> None:
        self._matcher = matcher
        self._end_tokens = tokenizer.end_tokens
        self._vocabulary_size = tokenizer.vocabulary_size
        self._allowed: _Allowed = np.zeros(0, np.bool_)
        self._begun = False

    def restricted(self, logits: Callable[[int], Logits]) -> Callable[[int], Logits]:
        """`BatchDecoder.logits` for the sampler that is given to `choose`: what is not allowed is impossible."""

        def allowed_logits(row: int) -> Logits:
            free = logits(row)
            held = np.full_like(free, -np.inf)
            size = min(len(free), len(self._allowed))
            np.copyto(held[:size], free[:size], where=self._allowed[:size])
            return held

        return allowed_logits

    def choose(self, sampler: LogitsSampler, row: int, most: int) -> tuple[list[int], bool]:
        """The answer's next tokens: one that the sampler chooses among the allowed, and those that must follow it.

        Args:
            sampler: reads logits through `restricted`.
            row: output row of the last decoded batch.
            most: how many tokens to give, at least 1; with 1 each is chosen by the model.

        Returns:
            The tokens, without an end token; and whether the answer ends with them.

        Raises:
            RequestError: the grammar went beyond a bound on the way, or the model has no token for what it asks for.
        """
        tokens = [] if self._begun or most == 1 else self._forced(sampler, most)
        self._begun = True
        if not tokens:
            token = self._sampled(sampler, row)
            if token is None:
                return [], True
            tokens = [token]
        if len(tokens) < most:
            tokens += self._forced(sampler, most - len(tokens))
        return tokens, self._matcher.is_stopped()

    def _sampled(self, sampler: LogitsSampler, row: int) -> int | None:
        """A token that the grammar allows; None if the answer ends here."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        self._allowed = np.unpackbits(bits, count=self._vocabulary_size, bitorder="little").view(np.bool_)
        if not self._allowed.any():
            return None  # only the end is left, and the model has no token for it
        token = sampler.sample(row)
        if token in self._end_tokens:
            return None
        self._matcher.consume_token(token)
        self._check()
        return token

    def _forced(self, sampler: LogitsSampler, most: int) -> list[int]:
        """Up to `most` tokens that the grammar leaves no choice about."""
        tokens = self._matcher.compute_ff_tokens()[:most]
        tokens = tokens[: self._matcher.try_consume_tokens(tokens)] if tokens else []
        self._check()
        for token in tokens:
            sampler.accept(token)
        return tokens

    def _check(self) -> None:
        if self._matcher.is_error():
            fault = fault_text(self._matcher.get_error())
            raise RequestError(f"the answer cannot go on in the format that was asked for: {fault}")
