"""Role three, third tier: a runtime that batches by itself. Also what the framework lifts the other tiers to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from camelid.contracts.media import MediaSpan
from camelid.errors import CamelidError
from camelid.types.generation import FinishReason, TokenLogprob
from camelid.types.grammar import Grammar
from camelid.types.options import SamplingOptions
from camelid.types.usage import EngineUsage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ("Engine", "EngineEvent", "EngineRequest", "LogProbabilities")

LogProbabilities: TypeAlias = "npt.NDArray[np.float32]"
"""float32, shape (vocabulary_size,): natural logarithms of the next token's probabilities; they add up to 1."""


class EngineRequest(msgspec.Struct, frozen=True):
    """One sequence to generate."""

    id: int
    """Unique among the requests of this engine."""
    prompt: tuple[int, ...]
    """Token ids; never empty, and shorter than the context."""
    sampling: SamplingOptions = SamplingOptions()
    logprobs: bool = False
    top_logprobs: int = 0
    shift: bool = True
    """When the context is full, drop the oldest half and go on; otherwise finish with `length`."""
    constraint: Grammar | None = None
    """The language of the answer. Only an engine that declares `Capability.CONSTRAINTS` is ever asked."""
    media: tuple[MediaSpan, ...] = ()
    """What stands in place of the negative ids in `prompt`, in order. A prompt never ends with media, and with any
    the context does not shift."""
    tenant: str = ""
    """Whose request it is. What is computed of it may be reused by requests of the same tenant only: an engine that
    reuses prompts has to see to that."""
    forced: tuple[int, ...] = ()
    """The answer, whatever the model would choose; none of it is an end. Prompt and answer fit the context. Only an
    engine that declares `Capability.SCORING` is ever asked."""
    distributions: bool = False
    """With `forced`: tell what the model thought of the whole vocabulary in each token's place."""


class EngineEvent:
    """What one step brought to one request: tokens, or its end, or both."""

    __slots__ = ("cached_tokens", "distributions", "error", "finish", "id", "logprobs", "tokens")

    def __init__(
        self,
        id: int,  # noqa: A002 - the field's name on the wire
        tokens: Sequence[int] = (),
        *,
        logprobs: Sequence[TokenLogprob] = (),
        finish: FinishReason | None = None,
        error: CamelidError | None = None,
        cached_tokens: int = 0,
        distributions: Sequence[LogProbabilities] = (),
    ) -> None:
        self.id = id
        self.tokens = tokens
        """New tokens in order; end-of-generation tokens are not among them."""
        self.logprobs = logprobs
        """One for each token, if they were asked for."""
        self.finish = finish
        """Set on the last event of a request that went well."""
        self.error = error
        """Set on the last event of a request that did not."""
        self.cached_tokens = cached_tokens
        """On a request's first event: prompt tokens that were not computed again."""
        self.distributions = distributions
        """One for each token, if they were asked for."""


class Engine(ABC):
    """Many requests, advanced together. All methods run on the engine thread."""

    @property
    @abstractmethod
    def context_length(self) -> int:
        """Tokens that one request may hold, prompt and answer together."""

    @abstractmethod
    def submit(self, request: EngineRequest) -> None:
        """Queue a request. Returns at once; a refusal comes as its event."""

    @abstractmethod
    def step(self) -> list[EngineEvent]:
        """Advance every request by about one token; a few milliseconds, so that cancelling is prompt."""

    @abstractmethod
    def cancel(self, id: int) -> None:  # noqa: A002 - the field's name on the wire
        """Drop a request, which gives no further event. Unknown and finished ids are ignored."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether `step` has anything to do."""

    @property
    def usage(self) -> EngineUsage:
        """What it holds and has done, for people who watch it; cheap, for it is asked every second."""
        return EngineUsage()

    def close(self) -> None:  # noqa: B027 - some engines own nothing of their own
        """Give native memory back. Called once."""
