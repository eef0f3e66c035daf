"""What is asked of a comparison of models and runtimes, and what it tells."""

from typing import Final

import msgspec

from camelid.types.json import JsonObject

__all__ = ("MOST_TOKENS", "Agreement", "CompareEvent", "CompareRequest", "Compared", "Loaded", "Position")

MOST_TOKENS: Final = 1024
"""Of one answer."""


class CompareRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare."""

    models: tuple[str, ...]
    """As the client sent them."""
    backends: tuple[str, ...] = ()
    """Each model is asked on each of these; none: on the backend that would serve it."""
    prompts: tuple[str, ...] = ("Why is the sky blue?",)
    """Each becomes a conversation of one message, in each model's own template."""
    tokens: int = 64
    """Longest answer."""
    options: JsonObject = {}
    """Those that matter when a model is loaded; answers are greedy, and nothing of how tokens are chosen is heeded."""
    keep_alive: float | None = None
    """Seconds; None = leave it as it is."""


class Loaded(msgspec.Struct, frozen=True):
    """A model on a backend, ready to answer."""

    model: str
    backend: str
    runtime: str
    """Library and version."""
    load_duration: int = 0
    """Nanoseconds; next to nothing where it was loaded already."""
    context_length: int = 0
    vocabulary_size: int = 0


class Compared(msgspec.Struct, frozen=True):
    """A whole answer, and what it took."""

    text: str
    finish: str
    """`stop` or `length`."""
    prompt_tokens: int
    tokens: int
    first_token: int
    """Nanoseconds from the request to the first token; nothing of the prompt was computed before."""
    tokens_per_second: float
    """After the first token."""
    model_memory: int
    """Bytes, as the backend says, on all devices."""
    resident_memory: int | None = None
    """Bytes of the worker's process; None if it has none of its own."""


class Position(msgspec.Struct, frozen=True):
    """One token of the reference's answer, as another model sees it."""

    text: str
    logprob: float
    """What this model thinks of the token, in nats."""
    reference_logprob: float
    same_top: bool
    """Whether both models' most likely token is the same."""
    divergence: float | None
    """Kullback-Leibler divergence of this model's distribution from the reference's, in nats; None if it is infinite:
    this model rules out what the reference does not."""


class Agreement(msgspec.Struct, frozen=True):
    """How far an answer agrees with the reference's."""

    same_text: bool
    same_characters: int
    """From the beginning of both answers."""
    same_tokens: int | None = None
    """The same in tokens; None where token ids do not mean the same."""
    positions: tuple[Position, ...] = ()
    """For each token of the reference's answer, in order; as many as fit into 64 MiB of log-probabilities."""
    same_top: float | None = None
    """Share of the positions in which both models' most likely token is the same, 0 to 1."""
    mean_divergence: float | None = None
    """Nats for each token; None if there is no position, or one is infinite."""
    most_divergence: float | None = None
    note: str = ""
    """Why only texts are compared, if so."""


class CompareEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of one target's work on one prompt. A target is a model on a backend; the first that answers is the
    reference. Exactly one of the other fields is set.
    """

    prompt: int
    """Index in the request."""
    target: int
    """Index; models in the request's order, each on all backends in their order."""
    loaded: Loaded | None = None
    text: str = ""
    """More of the answer."""
    answer: Compared | None = None
    agreement: Agreement | None = None
    failure: str = ""
    """The target failed; the others go on."""
