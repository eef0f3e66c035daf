"""Who waits, for how long, and what of a load that fails."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from camelid.engine.quarantine import Quarantine
from camelid.errors import ModelLoadError, ServerBusyError, WorkerDiedError, WorkerQuarantinedError, WorkerTimeoutError
from camelid.wire.faults import fault_from
from camelid.wire.messages import Failed


async def test_a_failed_load_fails_all_who_waited_for_it_and_nobody_else(open_pool, toys, model):
    async with open_pool() as pool:
        bad = model("bad", config={"load": "refuse"})
        results = await asyncio.gather(pool.use(bad), pool.use(bad), pool.use(model("good")), return_exceptions=True)
        assert [type(result) for result in results] == [ModelLoadError, ModelLoadError, int]
        assert len(toys.workers) == 2


async def test_a_load_that_takes_too_long_is_given_up(open_pool, model):
    async with open_pool(load_timeout=0.02) as pool:
        with pytest.raises(WorkerTimeoutError):
            await pool.use(model("a", config={"load": "never"}))


async def test_a_dead_worker_is_forgotten_and_the_next_lease_starts_a_new_one(open_pool, toys, prompt, model, settle):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None) as lease:
            reading = asyncio.create_task(anext(lease.client.generate(prompt("wait"))))
            await settle()
            toys.workers[0].kill()
            with pytest.raises(WorkerDiedError):
                await reading
            assert pool.running() == []
            assert await pool.use(model("a")) == 101
        assert await pool.use(model("a")) == 101


async def test_a_worker_that_gave_up_is_counted_also_if_it_is_replaced_before_it_is_gone(open_pool, toys, model):
    bad = model("bad", config={"lingers": 0.01})
    async with open_pool(quarantine=Quarantine(lambda: 0.0)) as pool:
        for _ in range(3):
            await pool.use(bad)
            toys.workers[-1].say(Failed(0, fault_from(ModelLoadError("no such tensor"))))
        with pytest.raises(WorkerQuarantinedError):
            await pool.use(bad)


async def test_a_model_that_dies_again_and_again_is_quarantined_with_its_reason(open_pool, toys, model):
    now = [1000.0]
    async with open_pool(quarantine=Quarantine(lambda: now[0])) as pool:
        bad = model("bad", config={"load": "die"})
        for _ in range(3):
            with pytest.raises(WorkerDiedError):
                await pool.use(bad)
        with pytest.raises(WorkerQuarantinedError, match=r"'bad' died 3 times within 60 seconds \(killed by SIGSEGV\)"):
            await pool.use(bad)
        assert len(toys.workers) == 3
        assert await pool.use(model("good")) == 103
        now[0] += 30
        with pytest.raises(WorkerDiedError):
            await pool.use(bad)


async def test_deaths_after_loading_count_too_but_unloading_does_not(open_pool, toys, until, model):
    async with open_pool() as pool:
        for _ in range(4):
            await pool.use(model("a"), 0)
        await until(lambda: not toys.alive)
        for _ in range(3):
            await pool.use(model("a"))
            toys.workers[-1].kill()
            await until(lambda: not pool.running())
        with pytest.raises(WorkerQuarantinedError, match="killed by SIGKILL"):
            await pool.use(model("a"))


async def test_a_load_that_nobody_waits_for_any_more_is_abandoned(open_pool, toys, until, model, settle):
    async with open_pool() as pool:
        slow = model("slow", config={"load": "never"})
        first, second = pool.begin(slow), pool.begin(slow)
        other = pool.begin(model("other"))
        await settle()
        first.cancel()
        await until(lambda: toys.alive == ["slow"])
        second.cancel()
        assert await other == 101
        assert toys.alive == ["other"]


async def test_one_who_gives_up_in_the_queue_does_not_disturb_the_others(open_pool, toys, model, settle):
    async with open_pool() as pool:
        slow = pool.begin(model("slow", config={"load": {"seconds": 0.03}}))
        waiting = pool.begin(model("b"))
        await settle()
        waiting.cancel()
        assert await slow == 100
        await settle()
        assert len(toys.workers) == 1


async def test_the_queue_is_bounded(open_pool, model, settle):
    async with open_pool(max_queue=2) as pool:
        tasks = [pool.begin(model("slow", config={"load": "never"})) for _ in range(3)]
        await settle()
        with pytest.raises(ServerBusyError) as caught:
            await pool.use(model("b"))
        assert caught.value.message == "server busy, please try again.  maximum pending requests exceeded"
        assert caught.value.status == 503
        tasks.pop().cancel()
        await settle()
        tasks.append(pool.begin(model("b")))
        await settle()
        assert not tasks[-1].done()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_requests_beyond_the_parallel_ones_count_as_waiting(open_pool, model):
    async with open_pool(max_queue=2, num_parallel=1) as pool, AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(pool.lease(model("a"), None))
        with pytest.raises(ServerBusyError):
            await pool.use(model("a"))


async def test_a_loaded_model_does_not_wait_behind_a_load(open_pool, model, settle):
    async with open_pool() as pool:
        await pool.use(model("a"))
        slow = pool.begin(model("slow", config={"load": "never"}))
        await settle()
        assert await pool.use(model("a")) == 100
        slow.cancel()
        await asyncio.wait({slow})


@pytest.mark.parametrize("ticks", range(12))
async def test_a_lease_cancelled_at_any_moment_is_given_back(open_pool, toys, ticks, until, model):
    async with open_pool() as pool:
        task = pool.begin(model("a"), 0)
        await toys.started.wait()
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await until(lambda: toys.alive == [])
