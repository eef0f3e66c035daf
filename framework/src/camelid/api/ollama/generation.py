"""What `/api/generate` and `/api/chat` have in common: most of the request, the metrics, the log-probabilities."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from typing import Protocol, TypedDict

import msgspec
from litestar.types import ASGIApp

from camelid.api.disconnect import cancelled_when_gone
from camelid.api.request import ApiRequest
from camelid.api.responses import json_reply
from camelid.api.streaming import LineStream
from camelid.types.generation import Completion, GenerationChunk, TokenAlternative, TokenLogprob
from camelid.types.json import JsonValue

__all__ = (
    "DebugInfo",
    "GenerationBody",
    "Logprob",
    "Metrics",
    "ReplyShape",
    "debug_info",
    "joined",
    "metrics",
    "read_logprobs",
    "reply",
)


class GenerationBody(msgspec.Struct, kw_only=True):
    """Fields of both requests (contract 4.1)."""

    model: str = ""
    stream: bool = True
    options: dict[str, object] = {}
    keep_alive: JsonValue = None
    think: JsonValue = None
    format: JsonValue = None
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: int = 0
    debug_render_only: bool = msgspec.field(name="_debug_render_only", default=False)
    """Answer with the prompt that the model would get."""


class DebugInfo(msgspec.Struct, omit_defaults=True):
    """The prompt, to see what a template makes of a request (contract 4.5)."""

    rendered_template: str
    image_count: int = 0


def debug_info(chunk: GenerationChunk) -> DebugInfo | None:
    """The prompt, if that is what was asked for."""
    return None if chunk.prompt is None else DebugInfo(chunk.prompt, chunk.images)


class Metrics(TypedDict):
    """The six metrics of the last object (contract 3.8)."""

    total_duration: int
    load_duration: int
    prompt_eval_count: int
    prompt_eval_duration: int
    eval_count: int
    eval_duration: int


def metrics(completion: Completion) -> Metrics:
    """The metrics of a generation; zeros are left out when they are encoded."""
    timings = completion.timings
    return {
        "total_duration": timings.total_duration,
        "load_duration": timings.load_duration,
        "prompt_eval_count": timings.prompt_tokens,
        "prompt_eval_duration": timings.prompt_duration,
        "eval_count": timings.generated_tokens,
        "eval_duration": timings.generation_duration,
    }


class Logprob(msgspec.Struct, frozen=True, omit_defaults=True):
    """One token and its log-probability (contract 3.6)."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()
    top_logprobs: tuple["Logprob", ...] = ()


def _logprob(entry: TokenLogprob | TokenAlternative, top: tuple[Logprob, ...] = ()) -> Logprob:
    return Logprob(entry.text.decode("utf-8", "replace"), entry.logprob, tuple(entry.text), top)


def read_logprobs(entries: Iterable[TokenLogprob]) -> tuple[Logprob, ...]:
    """The log-probabilities of a chunk, as the wire shows them."""
    return tuple(_logprob(entry, tuple(_logprob(other) for other in entry.top)) for entry in entries)


def joined(chunks: list[GenerationChunk]) -> GenerationChunk:
    """All chunks of an answer as one."""
    last = chunks[-1] if chunks else GenerationChunk()
    return GenerationChunk(
        content="".join(chunk.content for chunk in chunks),
        thinking="".join(chunk.thinking for chunk in chunks),
        tool_calls=tuple(call for chunk in chunks for call in chunk.tool_calls),
        logprobs=tuple(entry for chunk in chunks for entry in chunk.logprobs),
        completion=last.completion,
        prompt=last.prompt,
        images=last.images,
    )


class ReplyShape(Protocol):
    """How chunks look on one endpoint."""

    def line(self, chunk: GenerationChunk) -> bytes:
        """A chunk as a line of a stream."""
        ...

    def whole(self, chunks: list[GenerationChunk]) -> msgspec.Struct:
        """All chunks as one object."""
        ...


def _lines(shape: ReplyShape, chunk: GenerationChunk) -> bytes:
    """A chunk as lines of a stream.

    The end has a line of its own (contract 4.5, 5.5): some clients take from the last line its figures alone.
    """
    if chunk.completion is None or not (chunk.content or chunk.thinking or chunk.tool_calls or chunk.logprobs):
        return shape.line(chunk)
    said = msgspec.structs.replace(chunk, completion=None)
    return shape.line(said) + shape.line(GenerationChunk(completion=chunk.completion))


async def reply(
    request: ApiRequest, chunks: AsyncGenerator[GenerationChunk, None], shape: ReplyShape, *, stream: bool
) -> ASGIApp:
    """Answer with a stream of lines, or with one object when the last chunk has come."""
    if stream:
        return LineStream(chunks, partial(_lines, shape))
    async with aclosing(chunks), cancelled_when_gone(request.receive):
        collected = [chunk async for chunk in chunks]
    return json_reply(shape.whole(collected)).to_asgi_response(None, request)
