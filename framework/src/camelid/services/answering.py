"""A worker's deltas into the pieces of an answer: thinking apart from content, timings at the end."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from camelid.engine.pool import Lease
from camelid.prompts.template import ChatTemplate
from camelid.prompts.thinking import Split, ThinkingSplitter
from camelid.services.checks import Think
from camelid.types.generation import Completion, FinishReason, GenerationChunk, Timings
from camelid.wire.messages import Delta, Submit

__all__ = ("answer", "answered_without_generating", "thinking_splitter")


async def answer(
    lease: Lease, submit: Submit, *, thinking: ThinkingSplitter | None, started: int
) -> AsyncGenerator[GenerationChunk, None]:
    """Generate; closing this iterator stops the generation.

    Args:
        lease: on a running worker.
        submit: what to generate.
        thinking: takes thinking out of the text; None if the model does not think.
        started: when the request began, as `time.perf_counter_ns` tells.

    Raises:
        CamelidError: the worker failed.
    """
    async with aclosing(lease.client.generate(submit)) as deltas:
        async for delta in deltas:
            split = _split(delta, thinking)
            completion = _completion(delta, lease, started) if delta.finish else None
            if split.thinking or split.content or delta.logprobs or completion:
                yield GenerationChunk(
                    content=split.content, thinking=split.thinking, logprobs=delta.logprobs, completion=completion
                )


def thinking_splitter(template: ChatTemplate, think: Think, prompt: str) -> ThinkingSplitter | None:
    """What splits the text that follows `prompt`; None if the model shall not think, or its tags are unknown."""
    tags = template.thinking_tags
    return ThinkingSplitter.after(prompt, tags) if think and tags else None


def _split(delta: Delta, thinking: ThinkingSplitter | None) -> Split:
    """Thinking and content of a delta; of the last one also what was held back."""
    if thinking is None:
        return Split(content=delta.text)
    split = thinking.feed(delta.text)
    if delta.finish is None:
        return split
    rest = thinking.finish()
    return Split(split.thinking + rest.thinking, split.content + rest.content)


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
