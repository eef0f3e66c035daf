"""One measurement: a load on one server."""

import asyncio
import time
from contextlib import aclosing
from typing import Final

import msgspec

from camelid.bench.scenarios import Scenario, embedding_texts
from camelid.bench.target import Ask, BenchError, Target, Turn

__all__ = ("EMBEDDED", "Measured", "measure", "measure_cold", "measure_embeddings")

EMBEDDED: Final = 32
"""Texts in one request for embeddings."""


class Measured(msgspec.Struct, frozen=True):
    """What came of one load. All times are seconds."""

    seconds: float
    """From the first request to the end of the last answer."""
    tokens: int = 0
    """Generated, over all answers."""
    answers: int = 0
    """Answers, valid objects or vectors: what the load was for."""
    first: tuple[float, ...] = ()
    """Of each answer: until its first text came."""
    gaps: tuple[float, ...] = ()
    """Between pieces of text of one answer."""


class _Answer(msgspec.Struct):
    text: str
    tokens: int
    times: list[float]


async def measure(target: Target, scenario: Scenario, *, streams: int, tokens: int, seed: int) -> Measured:
    """Ask for all answers at once.

    Raises:
        BenchError: one of them failed.
    """
    asks = scenario.asks(streams, tokens, seed)
    started = time.perf_counter()
    answers = await asyncio.gather(*(_answer(target, ask) for ask in asks))
    seconds = time.perf_counter() - started
    return Measured(
        seconds=seconds,
        tokens=sum(answer.tokens for answer in answers),
        answers=sum(ask.schema is None or _is_json(answer.text) for ask, answer in zip(asks, answers, strict=True)),
        first=tuple(answer.times[0] - started for answer in answers),
        gaps=tuple(
            later - earlier
            for answer in answers
            for earlier, later in zip(answer.times, answer.times[1:], strict=False)
        ),
    )


async def measure_embeddings(target: Target, *, seed: int) -> Measured:
    """One request with many texts.

    Raises:
        BenchError: it failed.
    """
    texts = embedding_texts(EMBEDDED, seed)
    started = time.perf_counter()
    count = await target.embed(texts)
    return Measured(time.perf_counter() - started, answers=count)


async def measure_cold(target: Target, *, seed: int) -> Measured | None:
    """From a request to the first text of a model that is not loaded; None if the server cannot unload.

    Raises:
        BenchError: a request failed.
    """
    if not await target.unload():
        return None
    started = time.perf_counter()
    answer = await _answer(target, Ask((Turn("user", f"{seed:08x}: Say hello."),), 4))
    return Measured(time.perf_counter() - started, answer.tokens, 1, (answer.times[0] - started,))


async def _answer(target: Target, ask: Ask) -> _Answer:
    answer = _Answer("", 0, [])
    async with aclosing(target.stream(ask)) as pieces:
        async for piece in pieces:
            if piece.text:
                answer.text += piece.text
                answer.times.append(time.perf_counter())
            answer.tokens = answer.tokens if piece.tokens is None else piece.tokens
    if not answer.times:
        # A model may end at once; the end of the answer is then all there is to wait for.
        answer.times.append(time.perf_counter())
    if not answer.tokens:
        raise BenchError(f"{target.label}: an answer came without a count of its tokens")
    return answer


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
