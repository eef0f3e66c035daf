"""Where a case's backend runs, and the few verbs that cases use on it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from camelid.contracts.placement import Placement, WorkerSpec
from camelid.engine.client import WorkerClient
from camelid.engine.inprocess import InProcessPlacement
from camelid.engine.process import ProcessPlacement
from camelid.types.descriptor import BackendDescriptor
from camelid.types.facts import ModelFacts
from camelid.wire.messages import Delta, Submit

__all__ = ("HOSTS", "PATIENCE", "Answer", "Host")

PATIENCE = 60.0
"""Seconds that anything in a case may take, loading included."""

HOSTS: dict[str, Callable[[], Placement]] = {"direct": InProcessPlacement, "worker": ProcessPlacement}
"""`direct`: in the tests' process, for a debugger. `worker`: as in the server."""

_T = TypeVar("_T")


class Answer:
    """A whole generation: its deltas and what they add up to."""

    def __init__(self, deltas: list[Delta]) -> None:
        self.deltas = deltas
        self.text = "".join(delta.text for delta in deltas)
        self.tokens = sum(delta.tokens for delta in deltas)
        self.finish = deltas[-1].finish
        self.timings = deltas[-1].timings
        self.logprobs = [entry for delta in deltas for entry in delta.logprobs]


class Host:
    """A loaded model. Cases are plain functions; `run` takes their coroutines to an event loop of its own."""

    def __init__(self, place: str, spec: WorkerSpec, descriptor: BackendDescriptor) -> None:
        self.place = place
        self.spec = spec
        self.descriptor = descriptor
        self.outcome = ""
        self._runner = asyncio.Runner()
        self._clients: list[WorkerClient] = []
        self.client = self.start(spec)

    def run(self, work: Coroutine[object, object, _T]) -> _T:
        """Do `work` to its end, within `PATIENCE`."""
        return self._runner.run(_within(work))

    def start(self, spec: WorkerSpec) -> WorkerClient:
        """Load another model in the same place; it is closed with the host."""
        client = self.run(WorkerClient.start(HOSTS[self.place](), spec, timeout=PATIENCE))
        self._clients.append(client)
        return client

    @property
    def facts(self) -> ModelFacts:
        """What the worker said of the model."""
        return self.client.ready.facts

    async def collect(self, submit: Submit, client: WorkerClient | None = None) -> Answer:
        """Generate to the end."""
        return Answer([delta async for delta in (client or self.client).generate(submit)])

    def answer(self, submit: Submit) -> Answer:
        """Generate to the end, from a plain function."""
        return self.run(self.collect(submit))

    def answers(self, submits: list[Submit]) -> list[Answer]:
        """Generate several at once."""

        async def all_of_them() -> list[Answer]:
            return await asyncio.gather(*map(self.collect, submits))

        return self.run(all_of_them())

    def close(self) -> None:
        """Unload everything."""

        async def close_all() -> None:
            for client in self._clients:
                await client.close()

        self.run(close_all())
        self._runner.close()


async def _within(work: Awaitable[_T]) -> _T:
    async with asyncio.timeout(PATIENCE):
        return await work
