"""Rounds in which the servers take turns, so that whatever else the machine does meets all of them."""

from collections.abc import AsyncGenerator, Sequence

import msgspec

from camelid.bench.measuring import Measured, measure, measure_cold, measure_embeddings
from camelid.bench.memory import server_memory
from camelid.bench.scenarios import SCENARIOS
from camelid.bench.target import Target

__all__ = ("Load", "Plan", "Sample", "run_rounds")


class Load(msgspec.Struct, frozen=True):
    """A scenario with so many streams."""

    scenario: str
    """A name in `SCENARIOS`, or `embeddings` or `cold`."""
    streams: int = 1

    @property
    def title(self) -> str:
        """How tables call it."""
        return f"{self.scenario}, {self.streams} stream{'s' * (self.streams > 1)}" if self.streams else self.scenario


class Plan(msgspec.Struct, frozen=True):
    """What to measure."""

    loads: tuple[Load, ...]
    rounds: int
    tokens: int
    """Longest answer of the scenario `distinct`."""
    seed: int
    """Texts of all rounds follow from it; servers that have seen them would have an advantage."""


class Sample(msgspec.Struct, frozen=True):
    """What one server did in one round."""

    load: Load
    target: str
    round: int
    measured: Measured
    memory: int | None = None
    """Resident bytes of the server and its workers afterwards."""


async def run_rounds(targets: Sequence[Target], plan: Plan) -> AsyncGenerator[Sample, None]:
    """Measure everything; in every other round the servers go in reverse order.

    Each load is tried once before it counts, so that models are loaded and grammars compiled.

    Raises:
        BenchError: a server failed.
    """
    for place, load in enumerate(plan.loads):
        seed = plan.seed + 100_000 * place
        if load.scenario != "cold":
            for target in targets:
                await _measure(target, load, plan, seed)
        for number in range(1, plan.rounds + 1):
            for target in targets if number % 2 else reversed(targets):
                measured = await _measure(target, load, plan, seed + number)
                if measured is not None:
                    yield Sample(load, target.label, number, measured, server_memory(target.url))


async def _measure(target: Target, load: Load, plan: Plan, seed: int) -> Measured | None:
    if load.scenario == "embeddings":
        return await measure_embeddings(target, seed=seed)
    if load.scenario == "cold":
        return await measure_cold(target, seed=seed)
    scenario = SCENARIOS[load.scenario]
    return await measure(target, scenario, streams=load.streams, tokens=plan.tokens, seed=seed)
