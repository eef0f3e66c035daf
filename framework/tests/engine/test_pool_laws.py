"""Whatever happens in whatever order, the pool keeps its promises."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.contracts.placement import Connection, ConversionSpec, Placement, WorkerSpec
from camelid.engine.pool import LoadRequest, Pool
from camelid.engine.quarantine import Quarantine
from camelid.errors import CamelidError, ModelLoadError, ServerBusyError, WorkerDiedError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.settings import FOREVER, Settings
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.descriptor import BackendDescriptor
from camelid.types.options import Options

TOY = RegisteredBackend(BackendDescriptor("toy", frozenset({"toy"}), frozenset()), "toy", "dist")
LOADS = [None, {"seconds": 0.002}, "refuse", "die"]

steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("use"),
            st.sampled_from("abcd"),
            st.sampled_from([None, 64]),
            st.sampled_from([None, 0, 0.001, FOREVER]),
            st.sampled_from([0, 0.001, 0.003]),
        ),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("kill"), st.integers(0, 5)),
        st.tuples(st.just("unload"), st.sampled_from("abcd")),
        st.tuples(st.just("sleep"), st.sampled_from([0, 0, 0.001, 0.004])),
    ),
    max_size=30,
)


class Watched(Placement):
    """Another placement, watched: how many workers live, and how many of them are still loading."""

    name = "toy"

    def __init__(self, inner: Any, most: int):
        self.inner = inner
        self.most = most
        self.loading = 0

    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        self.loading += 1
        assert self.loading == 1, "two models are loaded at once"
        begun = True

        def settled():
            nonlocal begun
            self.loading -= begun
            begun = False

        def first_frame(frame: bytes):
            settled()
            on_frame(frame)

        def ended(reason: str):
            settled()
            on_end(reason)

        worker = await self.inner.start(spec, first_frame, ended)
        assert len(self.inner.alive) <= self.most, "too many models are loaded"
        return worker


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 3), st.integers(1, 5), st.lists(st.sampled_from(LOADS), min_size=4, max_size=4))
def test_the_laws_of_the_pool(toy_placement, given_steps, most, max_queue, loads):
    asyncio.run(live(toy_placement(), given_steps, most, max_queue, dict(zip("abcd", loads, strict=True))))


async def live(inner, given_steps, most: int, max_queue: int, loads: dict[str, object]):
    def request(name: str, num_ctx: int | None = None) -> LoadRequest:
        artifact = ModelArtifact(name, "toy", (ModelFile(f"/{name}"),), {"load": loads[name]})
        return LoadRequest(name, name, artifact, Options(num_ctx=num_ctx))

    async def use(name: str, num_ctx: int | None, keep_alive: float | None, seconds: float):
        async with pool.lease(request(name, num_ctx), keep_alive) as lease:
            worker = next(worker for worker in inner.workers if worker.pid == lease.client.pid)
            assert worker.spec.artifact.name == name
            assert worker.spec.options.context_length in ([num_ctx] if num_ctx else [4096])
            await asyncio.sleep(seconds)
            assert not worker.dead or worker in killed, "a model was unloaded while it was leased"

    placement, killed = Watched(inner, most), set()
    pool = Pool(
        Catalog({"toy": TOY}, (), {"toy": placement}),
        Settings(placement="toy", max_loaded_models=most, max_queue=max_queue),
        available=lambda: 1 << 40,
        quarantine=Quarantine(lambda: 0.0),
    )
    tasks: list[asyncio.Task[None]] = []
    for kind, *details in given_steps:
        match kind, details:
            case "use", arguments:
                tasks.append(asyncio.create_task(use(*arguments)))
            case "cancel", [index] if tasks:
                tasks[index % len(tasks)].cancel()
            case "kill", [index] if inner.workers:
                worker = inner.workers[index % len(inner.workers)]
                killed.add(worker)
                worker.kill()
            case "unload", [name]:
                await pool.unload(request(name).artifact.key)
            case "sleep", [seconds]:
                await asyncio.sleep(seconds)
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    check_outcomes(outcomes, max_queue, killed, loads)
    async with asyncio.timeout(20):
        await pool.close()
    assert inner.alive == []
    assert len(asyncio.all_tasks()) == 1


def check_outcomes(outcomes, max_queue, killed, loads):
    for outcome in outcomes:
        assert outcome is None or isinstance(outcome, asyncio.CancelledError | CamelidError), outcome
    if len(outcomes) <= max_queue:
        assert not any(isinstance(outcome, ServerBusyError) for outcome in outcomes)
    if not killed and "die" not in loads.values():
        assert not any(isinstance(outcome, WorkerDiedError) for outcome in outcomes)
    if "refuse" not in loads.values():
        assert not any(isinstance(outcome, ModelLoadError) for outcome in outcomes)
