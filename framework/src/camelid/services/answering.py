"""A worker's deltas into the pieces of an answer: thinking, content and tool calls apart, timings at the end."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from camelid.contracts.answers.parser import OutputParser, Parsed
from camelid.engine.pool import Lease
from camelid.services.checks import Think
from camelid.services.choices import sampling_of_choice
from camelid.services.formats import answer_grammar
from camelid.services.prompting import Prompt, count_tokens
from camelid.services.tenant import TENANT
from camelid.types.generation import Completion, FinishReason, GenerationChunk, Timings
from camelid.types.json import JsonObject, JsonValue
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Delta, Submit

__all__ = ("AnswerRequest", "answer", "answered_without_generating")


class AnswerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What chat and generate may both be asked for."""

    model: str
    """As the client sent it."""
    options: JsonObject = {}
    keep_alive: float | None = None
    """Seconds; None = leave it as it is."""
    think: Think = None
    format: JsonValue = None
    truncate: bool = True
    """Leave out the oldest messages if they do not fit."""
    shift: bool = True
    """Forget the middle when the context is full, instead of ending."""
    logprobs: bool = False
    top_logprobs: int = 0
    render_only: bool = False
    """Give the prompt that the model would get, as `GenerationChunk.prompt`, instead of an answer."""
    choice: int = 0
    """Which of several answers to one request this is."""
    count_only: bool = False
    """Give the number of the prompt's tokens, in the timings of the only chunk, instead of an answer."""


async def answer(
    lease: Lease,
    request: AnswerRequest,
    prompt: Prompt,
    *,
    sampling: SamplingOptions,
    parser: OutputParser | None,
    started: int,
    return_context: bool = False,
) -> AsyncGenerator[GenerationChunk, None]:
    """Generate; closing this iterator stops the generation.

    Args:
        lease: on a running worker.
        request: what the client asked for.
        prompt: what the model shall go on with.
        sampling: the model's parameters and the request's options.
        parser: takes thinking and tool calls out of the text; None if all of it is content.
        started: when the request began, as `time.perf_counter_ns` tells.
        return_context: give the tokens of prompt and answer back at the end.

    Raises:
        CamelidError: the worker failed.
    """
    if request.render_only:
        yield GenerationChunk(prompt=prompt.shown, images=len(prompt.pictures))
        return
    if request.count_only:
        counted = await count_tokens(lease.client, prompt)
        yield GenerationChunk(completion=Completion(FinishReason.STOP, Timings(prompt_tokens=counted)))
        return
    submit = Submit(
        id=0,
        prompt=prompt.content,
        sampling=sampling_of_choice(sampling, request.choice),
        add_special=prompt.add_special,
        truncate=request.truncate,
        shift=request.shift,
        logprobs=request.logprobs,
        top_logprobs=request.top_logprobs,
        return_context=return_context,
        constraint=answer_grammar(request.format, parser),
        markup=parser.markup if parser else (),
        media=prompt.pictures,
        media_marker=prompt.marker,
        before=prompt.before,
        tenant=TENANT.get(),
    )
    async with aclosing(lease.client.generate(submit)) as deltas:
        async for delta in deltas:
            lease.account.generated += delta.tokens
            completion = _completion(delta, lease, started) if delta.finish else None
            if completion is not None:
                lease.account.timings = completion.timings
            for chunk in _chunks(delta, parser, completion):
                yield chunk


def _chunks(delta: Delta, parser: OutputParser | None, completion: Completion | None) -> list[GenerationChunk]:
    """What a delta tells the client, in order (contract 5.4): the last chunk of all says no more than text."""
    pieces = _pieces(delta, parser)
    if completion and (not pieces or pieces[-1].calls):
        pieces.append(Parsed())
    if not pieces:
        # The parser holds the text back, but not what is known of its tokens (contract 3.6).
        return [GenerationChunk(logprobs=delta.logprobs)] if delta.logprobs else []
    last = len(pieces) - 1
    return [
        GenerationChunk(
            content=piece.content,
            thinking=piece.thinking,
            tool_calls=piece.calls,
            logprobs=() if place else delta.logprobs,
            completion=completion if place == last else None,
        )
        for place, piece in enumerate(pieces)
    ]


def _pieces(delta: Delta, parser: OutputParser | None) -> list[Parsed]:
    """What is in a delta's text; in the last one's also what was held back."""
    if parser is None:
        return [Parsed(content=delta.text)] if delta.text else []
    pieces = parser.feed(delta.text)
    return pieces if delta.finish is None else pieces + parser.finish()


def _completion(delta: Delta, lease: Lease, started: int) -> Completion:
    timings = msgspec.structs.replace(
        delta.timings or Timings(),
        load_duration=lease.load_duration,
        total_duration=time.perf_counter_ns() - started,
    )
    return Completion(delta.finish or FinishReason.STOP, timings, delta.context, delta.stop)


def answered_without_generating(reason: FinishReason) -> GenerationChunk:
    """The only chunk of a request that just loads or unloads (contract 4.3): no metrics."""
    return GenerationChunk(completion=Completion(reason))
