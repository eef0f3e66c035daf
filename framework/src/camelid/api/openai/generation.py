"""What OpenAI's two endpoints for generation have in common."""

from secrets import randbelow
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.types.generation import Completion, FinishReason
from camelid.types.json import JsonObject, JsonValue

__all__ = (
    "DONE",
    "FINGERPRINT",
    "GenerationFields",
    "Usage",
    "answer_id",
    "choice_count",
    "finish_reason",
    "read_options",
    "usage",
)

DONE: Final = b"data: [DONE]\n\n"
"""Ends every stream that nothing else ended."""
FINGERPRINT: Final = "fp_ollama"

_MOST_CHOICES: Final = 128


class StreamOptions(msgspec.Struct):
    """What a stream shall have beside the answer."""

    include_usage: bool = False
    """A last event with the counts of tokens."""


class GenerationFields(msgspec.Struct, kw_only=True):
    """Fields of both requests (contract 9.2, 9.3). `options` and `keep_alive` are as in Ollama's own API."""

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions = msgspec.field(default_factory=StreamOptions)
    n: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: JsonValue = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    options: dict[str, object] = {}
    keep_alive: JsonValue = None


def read_options(fields: GenerationFields, stop: list[str] | None, max_tokens: int | None) -> JsonObject:
    """The request's fields as Ollama's options.

    Temperature and top-p are 1 unless the request says otherwise, whatever the model's own parameters are.
    """
    given: JsonObject = {
        "num_predict": max_tokens,
        "temperature": fields.temperature,
        "top_p": fields.top_p,
        "seed": fields.seed,
        "stop": stop,
        "frequency_penalty": fields.frequency_penalty,
        "presence_penalty": fields.presence_penalty,
        "logit_bias": fields.logit_bias,
    }
    said = {name: value for name, value in given.items() if value is not None}
    return {"temperature": 1.0, "top_p": 1.0, **fields.options, **said}


def choice_count(asked: int, name: str = "n") -> int:
    """How many answers a request wants.

    Raises:
        RequestError: none, or too many.
    """
    if not 1 <= asked <= _MOST_CHOICES:
        raise RequestError(f"{name} must be between 1 and {_MOST_CHOICES}")
    return asked


def answer_id(kind: str) -> str:
    """A name for an answer."""
    return f"{kind}-{randbelow(10**12)}"


def finish_reason(completion: Completion, *, called: bool = False) -> str:
    """Why an answer ended; `called` says whether there are tool calls in it."""
    reason = completion.reason
    return "tool_calls" if called and reason is FinishReason.STOP else reason.value


class Usage(msgspec.Struct):
    """Counts of tokens. The prompt's are all of them, also those that were remembered."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


def usage(completions: list[tuple[int, Completion]]) -> Usage:
    """The counts of some answers.

    Args:
        completions: each with its prompt's place: several answers to one prompt share its tokens.
    """
    prompts = {prompt: completion.timings.prompt_tokens for prompt, completion in completions}
    prompt = sum(prompts.values())
    generated = sum(completion.timings.generated_tokens for _, completion in completions)
    return Usage(prompt, generated, prompt + generated)
