"""One request on its way through the scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from camelid.contracts.engine import EngineRequest
from camelid.contracts.media import MediaSpan
from camelid.contracts.sampler import Sampler
from camelid.decoding.cache import Slot
from camelid.decoding.sampling import LogitsSampler
from camelid.decoding.tokens import TokenArray

if TYPE_CHECKING:
    from camelid.decoding.constraint import Constraint

__all__ = ("Prospects", "Sequence")


class Prospects:
    """How guessing ahead went so far (`camelid.decoding.speculation`)."""

    FIRST: ClassVar = 3
    """Tokens of the first guess, and of the next one after a wrong one."""

    __slots__ = ("length", "misses", "pause", "rate")

    def __init__(self) -> None:
        self.length = self.FIRST
        """Tokens to guess next time."""
        self.rate = 0.5
        """Share of guessed tokens that are right, lately."""
        self.misses = 0
        """Guesses in a row of which nothing was right."""
        self.pause = 0
        """Tokens to generate before the next guess."""


class Sequence:
    """The tokens of one request and how far they are computed.

    The cache's length chases the number of tokens. One token behind, the sequence generates; further behind, it is a
    prompt, or was pushed out of the cache and catches up.
    """

    __slots__ = (
        "awaited",
        "cached",
        "constraint",
        "draft",
        "generated",
        "guided",
        "leader",
        "limit",
        "number",
        "prospects",
        "request",
        "sampler",
        "slot",
        "tokens",
        "total",
    )

    def __init__(
        self, request: EngineRequest, number: int, context_length: int, constraint: Constraint | None = None
    ) -> None:
        self.request = request
        self.constraint = constraint
        self.number = number
        """Order of arrival."""
        self.total = len(request.prompt)
        """Tokens that are known: the prompt and what was generated, less what shifts dropped."""
        # One more than fits: the token that makes the context overflow is known before anything is dropped.
        self.tokens: TokenArray = np.empty(context_length + 1, np.int32)
        self.tokens[: self.total] = request.prompt
        wanted, most = len(request.forced) or request.sampling.num_predict, 10 * context_length
        self.limit = min(wanted, most) if wanted > 0 else most
        """Tokens to generate (contract 3.1)."""
        self.generated = 0
        self.cached: int | None = None
        """Prompt tokens that were not computed; None until the first batch."""
        self.sampler: Sampler | None = None
        self.guided: LogitsSampler | None = None
        """Chooses in place of `sampler` where there is a constraint."""
        self.draft: TokenArray = np.zeros(0, np.int32)
        """Tokens that may follow, to be verified in the next batch."""
        self.prospects = Prospects()
        self.slot: Slot | None = None
        self.leader: Sequence | None = None
        """A sequence that is computing a prefix of this one right now: waiting for it is cheaper than joining in."""
        self.awaited = 0
        """Tokens the leader must have computed."""

    @property
    def known(self) -> TokenArray:
        """The tokens as a view."""
        return self.tokens[: self.total]

    @property
    def pending(self) -> int:
        """Tokens that are known but not computed."""
        return self.total - self.slot.length if self.slot else self.total

    @property
    def next_media(self) -> MediaSpan | None:
        """The first piece of media that is not computed."""
        computed = self.slot.length if self.slot else 0
        return next((span for span in self.request.media if span.start >= computed), None)

    @property
    def ready(self) -> int:
        """Of the pending tokens, those in front of the next piece of media."""
        span = self.next_media if self.request.media else None
        if span is None:
            return self.pending
        return span.start - (self.slot.length if self.slot else 0)

    @property
    def room(self) -> int:
        """Tokens that may still be generated before the answer ends or the context is full."""
        return min(self.limit - self.generated, len(self.tokens) - 1 - self.total)

    def append(self, token: int) -> None:
        """Take a generated token."""
        self.tokens[self.total] = token
        self.total += 1
        self.generated += 1

    def drop(self, keep: int, discard: int) -> None:
        """Close the gap that a context shift leaves after the first `keep` tokens."""
        rest = self.tokens[keep + discard : self.total].copy()
        self.total -= discard
        self.tokens[keep : self.total] = rest

    def close(self) -> None:
        """Give the sampler back."""
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None
