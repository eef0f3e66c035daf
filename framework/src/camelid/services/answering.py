"""A worker's deltas into the pieces of an answer: thinking, content and tool calls apart, timings at the end."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from camelid.engine.pool import Lease
from camelid.prompts.output import OutputParser, Parsed
from camelid.types.generation import Completion, FinishReason, GenerationChunk, Timings
from camelid.wire.messages import Delta, Submit

__all__ = ("answer", "answered_without_generating")


async def answer(
    lease: Lease, submit: Submit, *, parser: OutputParser | None, started: int
) -> AsyncGenerator[GenerationChunk, None]:
    """Generate; closing this iterator stops the generation.

    Args:
        lease: on a running worker.
        submit: what to generate.
        parser: takes thinking and tool calls out of the text; None if all of it is content.
        started: when the request began, as `time.perf_counter_ns` tells.

    Raises:
        CamelidError: the worker failed.
    """
    if parser is not None:
        submit = msgspec.structs.replace(submit, markup=parser.markup)
    async with aclosing(lease.client.generate(submit)) as deltas:
        async for delta in deltas:
            completion = _completion(delta, lease, started) if delta.finish else None
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
    return Completion(delta.finish or FinishReason.STOP, timings, delta.context)


def answered_without_generating(reason: FinishReason) -> GenerationChunk:
    """The only chunk of a request that just loads or unloads (contract 4.3): no metrics."""
    return GenerationChunk(completion=Completion(reason))
