import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from camelid.engine.pool import LoadRequest, Pool
from camelid.engine.quarantine import Quarantine
from camelid.errors import (
    ConfigurationError,
    InvalidOptionError,
    ModelLoadError,
    ModelMemoryError,
    ServerBusyError,
    UnsupportedCapabilityError,
    WorkerDiedError,
    WorkerQuarantinedError,
    WorkerTimeoutError,
)
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.settings import FOREVER, Settings
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.descriptor import BackendDescriptor
from camelid.types.options import Options

PLENTY = 1 << 40


def model(name: str, *, size=0, trained=0, config=None, **options) -> LoadRequest:
    artifact = ModelArtifact(name, "toy", (ModelFile(f"/{name}", size=size),), config or {})
    return LoadRequest(name, f"digest of {name}", artifact, Options(**options), trained)


def catalog(toys) -> Catalog:
    def backend(name: str, priority: int) -> RegisteredBackend:
        descriptor = BackendDescriptor(name, frozenset({"toy"}), frozenset(), priority=priority)
        return RegisteredBackend(descriptor, f"plugin-{name}", "dist")

    return Catalog({"toy": backend("toy", 1), "other": backend("other", 0)}, (), {"toy": toys})


@pytest.fixture
def open_pool(toys):
    @asynccontextmanager
    async def open_pool(
        *, available: Callable[[], int] = lambda: PLENTY, quarantine: Quarantine | None = None, **settings
    ) -> AsyncIterator[Pool]:
        pool = Pool(catalog(toys), Settings(placement="toy", **settings), available=available, quarantine=quarantine)
        try:
            yield pool
        finally:
            await pool.close()
            assert toys.alive == []
            assert len(asyncio.all_tasks()) == 1

    return open_pool


async def use(pool: Pool, request: LoadRequest, keep_alive: float | None = None) -> int:
    """Lease a model and give it back. Returns its worker's process id."""
    async with pool.lease(request, keep_alive) as lease:
        return lease.client.pid


def begin(pool: Pool, request: LoadRequest, keep_alive: float | None = None) -> asyncio.Task[int]:
    return asyncio.create_task(use(pool, request, keep_alive))


async def settle():
    """Let everything happen that needs no time but a thread's answer."""
    for _ in range(20):
        await asyncio.sleep(0.001)


def names(pool: Pool) -> list[str]:
    return sorted(row.name for row in pool.running())


async def test_a_model_is_loaded_once_and_reused(open_pool, toys):
    async with open_pool() as pool:
        assert await use(pool, model("a")) == await use(pool, model("a")) == 100
        (worker,) = toys.workers
        assert (worker.spec.backend, worker.spec.plugin) == ("toy", "plugin-toy")
        assert worker.spec.options.context_length == 4096


async def test_concurrent_leases_share_one_load(open_pool, toys):
    async with open_pool() as pool:
        assert set(await asyncio.gather(*(use(pool, model("a")) for _ in range(20)))) == {100}
        assert len(toys.workers) == 1


async def test_the_load_duration_covers_the_wait(open_pool):
    async with open_pool() as pool:
        before = time.perf_counter_ns()
        async with pool.lease(model("a", config={"load": {"seconds": 0.02}}), None) as first:
            assert 20_000_000 * 0.9 < first.load_duration < time.perf_counter_ns() - before
            async with pool.lease(model("a"), None) as second:
                assert second.load_duration < first.load_duration


async def test_the_same_model_runs_on_two_backends_side_by_side(open_pool, toys):
    async with open_pool() as pool:
        await use(pool, model("a"))
        await use(pool, model("a", backend="other"))
        await use(pool, model("a", backend="toy"))
        assert [(worker.spec.backend, worker.dead) for worker in toys.workers] == [("toy", False), ("other", False)]
        await pool.unload(model("a").artifact.key)
        assert pool.running() == []


async def test_what_cannot_work_is_refused_before_anything_is_started(open_pool, toys):
    async with open_pool() as pool:
        with pytest.raises(UnsupportedCapabilityError):
            await use(pool, model("a", backend="ghost"))
        with pytest.raises(InvalidOptionError):
            await use(pool, model("a", backend_options={"x": 1}))
        assert toys.workers == []
    with pytest.raises(ConfigurationError, match="no placement 'ghost'; the setting placement may be one of: toy"):
        Pool(catalog(toys), Settings(placement="ghost"))


async def test_other_load_options_reload_the_model_after_its_requests_ended(open_pool, toys):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None) as lease:
            reload = begin(pool, model("a", num_ctx=100))
            await settle()
            behind = begin(pool, model("a"))
            await settle()
            assert toys.alive == ["a"]
            assert [reload.done(), behind.done()] == [False, False]
            assert lease.client.alive
        assert await reload == 101
        assert toys.workers[0].dead
        assert await behind == 102
        assert [worker.spec.options.context_length for worker in toys.workers] == [4096, 100, 4096]


async def test_giving_up_on_a_reload_leaves_the_model_as_it_was(open_pool, toys):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None):
            reload = begin(pool, model("a", num_ctx=100))
            await settle()
            behind = begin(pool, model("a"))
            await settle()
            assert not behind.done()
            reload.cancel()
            assert await behind == 100
        assert len(toys.workers) == 1


# Keep-alive


async def test_an_idle_model_goes_after_its_keep_alive(open_pool, toys, until):
    async with open_pool() as pool:
        async with pool.lease(model("a"), 0.02):
            await asyncio.sleep(0.05)
            assert toys.alive == ["a"]
        assert toys.alive == ["a"]
        await until(lambda: toys.alive == [])
        assert await use(pool, model("a")) == 101


async def test_zero_unloads_as_soon_as_nobody_uses_the_model(open_pool, toys, until):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None):
            await use(pool, model("a"), 0)
            await settle()
            assert toys.alive == ["a"]
        await until(lambda: toys.alive == [])


async def test_a_later_keep_alive_replaces_and_an_absent_one_leaves_alone(open_pool, toys, until):
    async with open_pool(keep_alive=0.01) as pool:
        await use(pool, model("a"), FOREVER)
        await use(pool, model("a"))
        await asyncio.sleep(0.04)
        assert toys.alive == ["a"]
        await use(pool, model("a"), 0.01)
        await until(lambda: toys.alive == [])


async def test_a_new_lease_stops_the_timer(open_pool, toys):
    async with open_pool(keep_alive=0.03) as pool:
        await use(pool, model("a"))
        async with pool.lease(model("a"), None):
            await asyncio.sleep(0.06)
            assert toys.alive == ["a"]


async def test_unload_takes_an_idle_model_at_once_and_a_busy_one_when_it_is_idle(open_pool, toys, until):
    async with open_pool() as pool:
        await use(pool, model("a"))
        await pool.unload(model("a").artifact.key)
        assert toys.alive == []
        async with pool.lease(model("a"), None):
            await pool.unload(model("a").artifact.key)
            assert toys.alive == ["a"]
            assert pool.running()[0].expires_at <= time.time()
        await until(lambda: toys.alive == [])
        await pool.unload("never heard of")


# How many models, and eviction


async def test_a_second_model_evicts_the_first_where_one_is_allowed(open_pool, toys):
    async with open_pool(max_loaded_models=1) as pool:
        await use(pool, model("a"))
        await use(pool, model("b"))
        assert toys.alive == ["b"]


async def test_three_models_are_kept_by_default(open_pool, toys):
    async with open_pool() as pool:
        for name in "abcd":
            await use(pool, model(name))
        assert toys.alive == ["b", "c", "d"]


async def test_the_shortest_keep_alive_goes_first_and_then_the_one_not_used_for_longest(open_pool, toys):
    async with open_pool() as pool:
        await use(pool, model("a"), 100)
        await use(pool, model("b"), 50)
        await use(pool, model("c"), 100)
        await use(pool, model("d"), 100)
        assert toys.alive == ["a", "c", "d"]
        await use(pool, model("a"))
        await use(pool, model("e"), 100)
        assert toys.alive == ["a", "d", "e"]


async def test_a_busy_model_is_evicted_only_when_no_idle_one_is_left(open_pool, toys):
    async with open_pool(max_loaded_models=2) as pool, pool.lease(model("a"), 1):
        await use(pool, model("b"), 100)
        await use(pool, model("c"), 100)
        assert toys.alive == ["a", "c"]


async def test_a_newcomer_waits_for_a_busy_model_and_later_requests_for_that_one_wait_behind_it(open_pool, toys):
    async with open_pool(max_loaded_models=1) as pool:
        async with pool.lease(model("a"), None):
            newcomer = begin(pool, model("b"))
            await settle()
            behind = begin(pool, model("a"))
            await settle()
            assert [newcomer.done(), behind.done()] == [False, False]
            assert toys.alive == ["a"]
        assert (await newcomer, await behind) == (101, 102)


async def test_a_newcomer_that_gives_up_leaves_the_busy_model_to_others(open_pool, toys):
    async with open_pool(max_loaded_models=1) as pool, pool.lease(model("a"), None):
        newcomer = begin(pool, model("b"))
        await settle()
        behind = begin(pool, model("a"))
        await settle()
        newcomer.cancel()
        assert await behind == 100
        assert len(toys.workers) == 1


async def test_the_first_busy_model_that_becomes_idle_makes_room(open_pool, toys):
    async with open_pool(max_loaded_models=2) as pool, pool.lease(model("a"), 1):
        async with pool.lease(model("b"), 100):
            newcomer = begin(pool, model("c"))
            await settle()
            assert not newcomer.done()
        assert await newcomer == 102
        assert toys.alive == ["a", "c"]
        assert await use(pool, model("a")) == 100


async def test_a_model_that_would_not_fit_beside_others_evicts_them_first(open_pool, toys):
    def free() -> int:
        return 1000 - 400 * len(toys.alive)

    async with open_pool(available=free) as pool:
        await use(pool, model("a", size=480))
        await use(pool, model("b", size=481))
        assert toys.alive == ["b"]
        await use(pool, model("c", size=480))
        assert toys.alive == ["b", "c"]
        await use(pool, model("huge", size=10_000))
        assert toys.alive == ["huge"]


async def test_running_out_of_memory_evicts_the_others_and_tries_again(open_pool, toys):
    async with open_pool() as pool:
        await use(pool, model("a"))
        with pytest.raises(ModelMemoryError, match="too large"):
            await use(pool, model("b", num_ctx=100, config={"load": {"memory": 99}}))
        assert [worker.spec.artifact.name for worker in toys.workers] == ["a", "b", "b"]
        assert toys.alive == []


async def test_an_automatic_context_shrinks_until_it_fits(open_pool, toys):
    async with open_pool(context_length=100_000) as pool:
        request = model("a", config={"load": {"memory": 5000}})
        await use(pool, request)
        assert [worker.spec.options.context_length for worker in toys.workers] == [100_000, 32768, 4096]
        await use(pool, request)
        assert len(toys.workers) == 3


# What goes wrong


async def test_a_failed_load_fails_all_who_waited_for_it_and_nobody_else(open_pool, toys):
    async with open_pool() as pool:
        bad = model("bad", config={"load": "refuse"})
        results = await asyncio.gather(use(pool, bad), use(pool, bad), use(pool, model("good")), return_exceptions=True)
        assert [type(result) for result in results] == [ModelLoadError, ModelLoadError, int]
        assert len(toys.workers) == 2


async def test_a_load_that_takes_too_long_is_given_up(open_pool):
    async with open_pool(load_timeout=0.02) as pool:
        with pytest.raises(WorkerTimeoutError):
            await use(pool, model("a", config={"load": "never"}))


async def test_a_dead_worker_is_forgotten_and_the_next_lease_starts_a_new_one(open_pool, toys, prompt):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None) as lease:
            reading = asyncio.create_task(anext(lease.client.generate(prompt("wait"))))
            await settle()
            toys.workers[0].kill()
            with pytest.raises(WorkerDiedError):
                await reading
            assert pool.running() == []
            assert await use(pool, model("a")) == 101
        assert await use(pool, model("a")) == 101


async def test_a_model_that_dies_again_and_again_is_quarantined_with_its_reason(open_pool, toys):
    now = [1000.0]
    async with open_pool(quarantine=Quarantine(lambda: now[0])) as pool:
        bad = model("bad", config={"load": "die"})
        for _ in range(3):
            with pytest.raises(WorkerDiedError):
                await use(pool, bad)
        with pytest.raises(WorkerQuarantinedError, match=r"'bad' died 3 times in a row \(killed by SIGSEGV\)"):
            await use(pool, bad)
        assert len(toys.workers) == 3
        assert await use(pool, model("good")) == 103
        now[0] += 30
        with pytest.raises(WorkerDiedError):
            await use(pool, bad)


async def test_deaths_after_loading_count_too_but_unloading_does_not(open_pool, toys, until):
    async with open_pool() as pool:
        for _ in range(4):
            await use(pool, model("a"), 0)
        await until(lambda: not toys.alive)
        for _ in range(3):
            await use(pool, model("a"))
            toys.workers[-1].kill()
            await until(lambda: not pool.running())
        with pytest.raises(WorkerQuarantinedError, match="killed by SIGKILL"):
            await use(pool, model("a"))


# Who waits, and for how long


async def test_a_load_that_nobody_waits_for_any_more_is_abandoned(open_pool, toys, until):
    async with open_pool() as pool:
        slow = model("slow", config={"load": "never"})
        first, second = begin(pool, slow), begin(pool, slow)
        other = begin(pool, model("other"))
        await settle()
        first.cancel()
        await until(lambda: toys.alive == ["slow"])
        second.cancel()
        assert await other == 101
        assert toys.alive == ["other"]


async def test_one_who_gives_up_in_the_queue_does_not_disturb_the_others(open_pool, toys):
    async with open_pool() as pool:
        slow = begin(pool, model("slow", config={"load": {"seconds": 0.03}}))
        waiting = begin(pool, model("b"))
        await settle()
        waiting.cancel()
        assert await slow == 100
        await settle()
        assert len(toys.workers) == 1


async def test_the_queue_is_bounded(open_pool):
    async with open_pool(max_queue=2) as pool:
        tasks = [begin(pool, model("slow", config={"load": "never"})) for _ in range(3)]
        await settle()
        with pytest.raises(ServerBusyError) as caught:
            await use(pool, model("b"))
        assert caught.value.message == "server busy, please try again.  maximum pending requests exceeded"
        assert caught.value.status == 503
        tasks.pop().cancel()
        await settle()
        tasks.append(begin(pool, model("b")))
        await settle()
        assert not tasks[-1].done()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_requests_beyond_the_parallel_ones_count_as_waiting(open_pool):
    async with open_pool(max_queue=2, num_parallel=1) as pool, AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(pool.lease(model("a"), None))
        with pytest.raises(ServerBusyError):
            await use(pool, model("a"))


async def test_a_loaded_model_does_not_wait_behind_a_load(open_pool):
    async with open_pool() as pool:
        await use(pool, model("a"))
        slow = begin(pool, model("slow", config={"load": "never"}))
        await settle()
        assert await use(pool, model("a")) == 100
        slow.cancel()
        await asyncio.wait({slow})


@pytest.mark.parametrize("ticks", range(12))
async def test_a_lease_cancelled_at_any_moment_is_given_back(open_pool, toys, ticks, until):
    async with open_pool() as pool:
        task = begin(pool, model("a"), 0)
        await toys.started.wait()
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await until(lambda: toys.alive == [])


# What is shown


async def test_running_shows_models_coming_there_and_going(open_pool):
    async with open_pool() as pool, pool.lease(model("a", trained=512, config={"model_family": "toy"}), FOREVER):
        loading = begin(pool, model("b", size=70, config={"load": "never"}), 10)
        await settle()
        first, second = pool.running()
        assert (first.name, first.digest, first.backend) == ("a", "digest of a", "toy")
        assert (first.size, first.size_vram, first.context_length) == (17, 5, 512)
        assert first.config == {"model_family": "toy"}
        assert first.expires_at == pytest.approx(time.time() + 2**63 / 1e9)
        assert (second.name, second.size, second.size_vram, second.context_length) == ("b", 70, 0, 4096)
        assert second.expires_at == pytest.approx(time.time() + 10, abs=5)
        loading.cancel()
        await asyncio.wait({loading})
        await settle()
        assert names(pool) == ["a"]
        await pool.unload(model("a").artifact.key)
        assert pool.running()[0].expires_at <= time.time()


async def test_a_model_on_its_way_out_is_still_shown(open_pool, toys):
    async with open_pool() as pool:
        await use(pool, model("a", config={"stubborn": True}), 0)
        await settle()
        (row,) = pool.running()
        assert row.expires_at <= time.time()
        again = begin(pool, model("a", config={"stubborn": True}))
        await settle()
        assert not again.done()
        toys.workers[0].kill()
        assert await again == 101
        toys.workers[1].kill()


# The end


async def test_closing_refuses_who_waits_and_ends_what_runs(open_pool, toys, until):
    async with open_pool() as pool:
        await use(pool, model("a"))
        loading = begin(pool, model("slow", config={"load": "never"}))
        waiting = begin(pool, model("b"))
        await until(lambda: toys.alive == ["a", "slow"])
        await pool.close()
        assert toys.alive == []
        for task in (loading, waiting):
            with pytest.raises(ServerBusyError, match="shutting down"):
                await task
        with pytest.raises(ServerBusyError, match="shutting down"):
            await use(pool, model("a"))


async def test_closing_ends_requests_that_are_running(open_pool, toys, prompt):
    async with open_pool() as pool, pool.lease(model("a"), None) as lease:
        reading = asyncio.create_task(anext(lease.client.generate(prompt("wait"))))
        await settle()
        await pool.close()
        with pytest.raises(WorkerDiedError, match="unloaded while it was answering"):
            await reading
