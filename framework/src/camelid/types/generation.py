"""What a generation yields, on its way from the services to an API."""

from enum import StrEnum

import msgspec

from camelid.types.messages import ToolCall

__all__ = ("Completion", "FinishReason", "GenerationChunk", "Timings", "TokenAlternative", "TokenLogprob")


class FinishReason(StrEnum):
    """Why a generation ended (contract 3.9)."""

    STOP = "stop"
    """End-of-generation token, a stop string, or a complete constraint."""
    LENGTH = "length"
    """`num_predict` reached, or the context is full."""
    LOAD = "load"
    UNLOAD = "unload"


class TokenAlternative(msgspec.Struct, frozen=True, array_like=True):
    """A token that could have stood in a place, and its log-probability."""

    token: int
    logprob: float
    """Natural logarithm, at most 0."""
    text: bytes = b""


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """The chosen token, its log-probability, and the most likely ones in its place."""

    token: int
    logprob: float
    text: bytes = b""
    top: tuple[TokenAlternative, ...] = ()


class Timings(msgspec.Struct, frozen=True):
    """Counts and durations of one request (contract 3.8). Durations are nanoseconds."""

    prompt_tokens: int = 0
    """The whole prompt, also what a prefix cache held."""
    cached_tokens: int = 0
    """Of these, the tokens that did not have to be computed."""
    prompt_duration: int = 0
    generated_tokens: int = 0
    generation_duration: int = 0
    load_duration: int = 0
    total_duration: int = 0


class Completion(msgspec.Struct, frozen=True):
    """The end of a generation."""

    reason: FinishReason
    timings: Timings = Timings()
    context: tuple[int, ...] = ()
    """Prompt and answer as tokens, where the API returns them (contract 4.5)."""
    stop: str = ""
    """The stop string that the answer ended at; empty if it ended otherwise."""


class GenerationChunk(msgspec.Struct, frozen=True):
    """A piece of an answer; only the last one of a stream has `completion`, and one that is no answer has `prompt`."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    completion: Completion | None = None
    prompt: str | None = None
    """What the template makes of a request that asked for this instead of an answer (contract 4.5)."""
    images: int = 0
    """With `prompt`: how many pictures stand in it."""
