"""Greedy answers, and what a loaded model thinks of another one's."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec
import psutil

from camelid.engine.client import WorkerClient
from camelid.engine.resident import resident_bytes
from camelid.errors import ProtocolError
from camelid.services.comparison import Compared
from camelid.services.prompting import Prompt
from camelid.types.capabilities import Capability
from camelid.types.generation import TokenLogprob
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Delta, Submit

__all__ = ("Greedy", "Reference", "Scored", "greedy_deltas", "measured", "reference_of", "score")

_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one reference's log-probabilities: they are held in the server, and go to a worker in one frame."""
_BYTES: Final = 2
"""Of one log-probability on the wire."""


class Greedy(msgspec.Struct, frozen=True):
    """A whole answer of a model's own."""

    text: str
    last: Delta
    """Its last delta."""

    @property
    def prompt(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        return self.last.context[: self._length]

    @property
    def answer(self) -> tuple[int, ...]:
        """The answer's tokens."""
        return self.last.context[self._length :]

    @property
    def _length(self) -> int:
        return self.last.timings.prompt_tokens if self.last.timings else 0


class Scored(msgspec.Struct, frozen=True):
    """What a model thinks of a text."""

    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each token, with the most likely token in its place."""
    divergences: tuple[float, ...] = ()


class Reference(msgspec.Struct, frozen=True):
    """An answer that others are compared with."""

    greedy: Greedy
    fingerprint: str = ""
    """Of the vocabulary; empty if the backend scores nothing."""
    vocabulary_size: int = 0
    scored: Scored = Scored()
    distributions: bytes = b""


async def greedy_deltas(
    client: WorkerClient, prompt: Prompt, sampling: SamplingOptions, tenant: str
) -> AsyncGenerator[Delta]:
    """The most likely answer, delta by delta; the last one has the tokens of prompt and answer.

    Args:
        client: of a loaded model.
        prompt: what it shall go on with.
        sampling: of it, `num_predict` and `stop` are heeded.
        tenant: whose computed prompts may be reused.

    Raises:
        CamelidError: the worker failed.
    """
    submit = Submit(
        id=0,
        prompt=prompt.content,
        sampling=SamplingOptions(temperature=0, num_predict=sampling.num_predict, stop=sampling.stop),
        add_special=prompt.add_special,
        shift=False,
        return_context=True,
        tenant=tenant,
    )
    async with aclosing(client.generate(submit)) as deltas:
        async for delta in deltas:
            yield delta


async def measured(client: WorkerClient, greedy: Greedy) -> Compared:
    """What an answer took.

    Raises:
        ProtocolError: its worker did not say.
    """
    timings, finish = greedy.last.timings, greedy.last.finish
    if timings is None or finish is None:
        raise ProtocolError("the model's worker ended an answer without saying what it took")
    after = timings.generated_tokens - 1
    return Compared(
        text=greedy.text,
        finish=finish,
        prompt_tokens=timings.prompt_tokens,
        tokens=timings.generated_tokens,
        first_token=timings.prompt_duration,
        tokens_per_second=after / (timings.generation_duration / 1e9) if after > 0 else 0.0,
        model_memory=sum(use.total for use in client.ready.memory),
        resident_memory=await asyncio.to_thread(_resident, client.pid),
    )


async def reference_of(client: WorkerClient, greedy: Greedy, tenant: str) -> Reference:
    """An answer as others are compared with it, with all that its own model thinks of it.

    Args:
        client: whose answer it is.
        greedy: the answer.
        tenant: as it was asked for.

    Raises:
        CamelidError: the worker failed.
    """
    facts = client.ready.facts
    if Capability.SCORING not in facts.capabilities:
        return Reference(greedy)
    most = _MOST_BYTES // (_BYTES * max(1, facts.vocabulary_size))
    scored, distributions = await _scored(client, greedy.prompt, greedy.answer[:most], b"", tenant)
    return Reference(greedy, await client.fingerprint(), facts.vocabulary_size, scored, distributions)


async def score(client: WorkerClient, reference: Reference, tenant: str) -> Scored:
    """What a model thinks of a reference's answer. The vocabularies must be the same.

    Raises:
        CamelidError: the worker failed.
    """
    answer = reference.greedy.answer[: len(reference.scored.logprobs)]
    return (await _scored(client, reference.greedy.prompt, answer, reference.distributions, tenant))[0]


async def _scored(
    client: WorkerClient, prompt: tuple[int, ...], answer: tuple[int, ...], reference: bytes, tenant: str
) -> tuple[Scored, bytes]:
    """What a model thinks of an answer; with its distributions where there is no reference."""
    if not answer:
        return Scored(), b""
    submit = Submit(
        id=0,
        prompt=prompt,
        logprobs=True,
        top_logprobs=1,
        truncate=False,
        tenant=tenant,
        forced=answer,
        distributions=not reference,
        reference=reference,
    )
    deltas: list[Delta] = []
    async with aclosing(client.generate(submit)) as stream:
        async for delta in stream:
            deltas.append(delta)  # noqa: PERF401 - the stream has to be closed
    logprobs = tuple(entry for delta in deltas for entry in delta.logprobs)
    divergences = tuple(number for delta in deltas for number in delta.divergences)
    return Scored(logprobs, divergences), b"".join(delta.distributions for delta in deltas)


def _resident(pid: int) -> int | None:
    try:
        return resident_bytes(psutil.Process(pid)) if pid else None
    except psutil.Error:
        return None
