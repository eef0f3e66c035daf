"""What observers are told: facts about models and requests, never what was asked or answered."""

from enum import StrEnum

import msgspec

from camelid.types.generation import Timings
from camelid.types.memory import MemoryUse

__all__ = ("Event", "ModelLoaded", "ModelUnloaded", "Outcome", "Purpose", "RequestFinished")


class Purpose(StrEnum):
    """What a request wanted of a model."""

    CHAT = "chat"
    GENERATE = "generate"
    EMBED = "embed"
    RERANK = "rerank"
    TOKENIZE = "tokenize"
    """Tokens of a text, or back."""
    COMPARE = "compare"


class Outcome(StrEnum):
    """How a request ended."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    """The client left, or the server ended."""
    FAILED = "failed"


class ModelLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """A model came into memory."""

    at: float
    """Seconds since the epoch."""
    model: str
    """Its name, as whoever asked first called it."""
    digest: str
    """Of its manifest, 64 hex digits."""
    backend: str
    backend_reason: str
    """Why that backend was chosen, half a sentence."""
    runtime: str
    """What computes it, for people: library, version and device."""
    context_length: int
    """Tokens that one sequence may hold."""
    memory: tuple[MemoryUse, ...]
    load_duration: int
    """Nanoseconds that the worker took to load it."""


class ModelUnloaded(msgspec.Struct, frozen=True, kw_only=True):
    """A model left memory, in whatever way."""

    at: float
    """Seconds since the epoch."""
    model: str
    digest: str
    backend: str
    death: str = ""
    """Why its worker died, a short phrase; empty if it was unloaded on purpose."""


class RequestFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A request that wanted a model ended. One that asks for several answers is several.

    What was refused before it came to a model, such as a wrong option, is not told.
    """

    at: float
    """Seconds since the epoch, at its end."""
    purpose: Purpose
    model: str
    digest: str
    backend: str
    outcome: Outcome
    error: str = ""
    """Of a failure: the class of the error in `camelid.errors`, or of a foreign exception."""
    timings: Timings = Timings()
    """Counts as far as the request came; durations that nobody measured are 0."""


Event = ModelLoaded | ModelUnloaded | RequestFinished
"""All that there is to observe."""
