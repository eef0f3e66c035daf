"""Where a case's backend runs, and the few verbs that cases use on it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from camelid.contracts.placement import Placement, WorkerSpec
from camelid.engine.client import WorkerClient
from camelid.engine.inprocess import InProcessPlacement
from camelid.engine.process import ProcessPlacement
from camelid.errors import CamelidError
from camelid.types.descriptor import BackendDescriptor
from camelid.types.facts import ModelFacts
from camelid.wire.messages import Delta, Submit

__all__ = ("HOSTS", "Answer", "Host")

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
        self.context = deltas[-1].context
        """Tokens of prompt and answer, if they were asked for."""
        self.logprobs = [entry for delta in deltas for entry in delta.logprobs]


class Host:
    """A loaded model. Cases are plain functions; `run` takes their coroutines to an event loop of its own."""

    def __init__(self, place: str, spec: WorkerSpec, descriptor: BackendDescriptor, patience: float) -> None:
        """Load.

        Args:
            place: a key of `HOSTS`.
            spec: what to load.
            descriptor: of the backend.
            patience: seconds that anything may take.

        Raises:
            CamelidError: it cannot be loaded.
            TimeoutError: it took too long.
        """
        self.place = place
        self.spec = spec
        self.descriptor = descriptor
        self._patience = patience
        self._stuck = ""
        self._runner = asyncio.Runner()
        self._clients: list[WorkerClient] = []
        try:
            self.client = self.start(spec)
        except BaseException:
            self._runner.close()
            raise

    def run(self, work: Coroutine[object, object, _T]) -> _T:
        """Do `work` to its end.

        An error comes without the frames between here and the backend, and with the reason that a client is not told.
        A backend that once took too long is not waited for again.

        Raises:
            CamelidError: the backend's.
            TimeoutError: it took too long.
        """
        __tracebackhide__ = True
        if self._stuck:
            work.close()
            raise TimeoutError(f"{self._stuck}, in an earlier case")
        try:
            return self._runner.run(_within(self._patience, work))
        except TimeoutError:
            self._stuck = f"the backend {self.spec.backend!r} did nothing for {self._patience:g} s ({self.place})"
            raise TimeoutError(f"{self._stuck}; the suite's `patience` is over") from None
        except CamelidError as error:
            if error.reason and not getattr(error, "__notes__", None):
                error.add_note(f"reason: {error.reason}")
            raise error.with_traceback(None) from None

    def start(self, spec: WorkerSpec) -> WorkerClient:
        """Load another model in the same place; it is closed with the host, if not before."""
        __tracebackhide__ = True
        client = self.run(WorkerClient.start(HOSTS[self.place](), spec, timeout=self._patience))
        self._clients.append(client)
        return client

    @contextmanager
    def another(self, spec: WorkerSpec) -> Iterator[WorkerClient]:
        """Another model in the same place, for a while: large ones do not fit beside each other for long."""
        client = self.start(spec)
        yield client
        self.run(client.close())

    @property
    def facts(self) -> ModelFacts:
        """What the worker said of the model."""
        return self.client.ready.facts

    async def collect(self, submit: Submit, client: WorkerClient | None = None) -> Answer:
        """Generate to the end."""
        return Answer([delta async for delta in (client or self.client).generate(submit)])

    def answer(self, submit: Submit) -> Answer:
        """Generate to the end, from a plain function."""
        __tracebackhide__ = True
        return self.run(self.collect(submit))

    def answers(self, submits: list[Submit]) -> list[Answer]:
        """Generate several at once."""
        __tracebackhide__ = True

        async def all_of_them() -> list[Answer]:
            return await asyncio.gather(*map(self.collect, submits))

        return self.run(all_of_them())

    def close(self) -> None:
        """Unload everything; what hangs is killed."""

        async def close_all() -> None:
            for client in self._clients:
                if self._stuck:
                    client.kill()
                else:
                    await client.close()

        self._runner.run(close_all())
        self._runner.close()


async def _within(seconds: float, work: Coroutine[object, object, _T]) -> _T:
    async with asyncio.timeout(seconds):
        return await work
