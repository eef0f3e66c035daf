"""Sharing, reloading, showing and closing."""

import asyncio
import time

import pytest

from camelid.engine.pool import Pool
from camelid.errors import (
    ConfigurationError,
    RequestError,
    ServerBusyError,
    UnsupportedCapabilityError,
    WorkerDiedError,
)
from camelid.settings import FOREVER, Settings


async def test_a_model_is_loaded_once_and_reused(open_pool, toys, model):
    async with open_pool() as pool:
        assert await pool.use(model("a")) == await pool.use(model("a")) == 100
        (worker,) = toys.workers
        assert (worker.spec.backend, worker.spec.plugin) == ("toy", "plugin-toy")
        assert worker.spec.options.context_length == 4096


async def test_concurrent_leases_share_one_load(open_pool, toys, model):
    async with open_pool() as pool:
        assert set(await asyncio.gather(*(pool.use(model("a")) for _ in range(20)))) == {100}
        assert len(toys.workers) == 1


async def test_the_load_duration_covers_the_wait(open_pool, model):
    async with open_pool() as pool:
        before = time.perf_counter_ns()
        async with pool.lease(model("a", config={"load": {"seconds": 0.02}}), None) as first:
            assert 20_000_000 * 0.9 < first.load_duration < time.perf_counter_ns() - before


async def test_the_same_model_runs_on_two_backends_side_by_side(open_pool, toys, model):
    async with open_pool() as pool:
        await pool.use(model("a"))
        await pool.use(model("a", backend="other"))
        await pool.use(model("a", backend="toy"))
        assert [(worker.spec.backend, worker.dead) for worker in toys.workers] == [("toy", False), ("other", False)]
        await pool.unload(model("a").artifact.key)
        assert pool.running() == []


async def test_what_cannot_work_is_refused_before_anything_is_started(open_pool, toys, toy_catalog, model):
    async with open_pool() as pool:
        with pytest.raises(UnsupportedCapabilityError):
            await pool.use(model("a", backend="ghost"))
        with pytest.raises(RequestError):
            await pool.use(model("a", backend_options={"x": 1}))
        with pytest.raises(
            RequestError, match="option \"tokenizer\": there is no tokenizer plugin 'ghost'; there are: letters"
        ):
            await pool.use(model("a", tokenizer="ghost"))
        assert toys.workers == []
    with pytest.raises(ConfigurationError, match="no placement 'ghost'; the setting placement may be one of: toy"):
        Pool(toy_catalog, Settings(placement="ghost"))


async def test_workers_are_told_who_tokenizes_for_others(open_pool, toys, model):
    async with open_pool() as pool:
        await pool.use(model("a", tokenizer="letters"))
        (worker,) = toys.workers
        assert worker.spec.tokenizers == ("letters",)
        assert worker.spec.options.tokenizer == "letters"


async def test_other_load_options_reload_the_model_after_its_requests_ended(open_pool, toys, model, settle):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None) as lease:
            reload = pool.begin(model("a", num_ctx=100))
            await settle()
            behind = pool.begin(model("a"))
            await settle()
            assert toys.alive == ["a"]
            assert [reload.done(), behind.done()] == [False, False]
            assert lease.client.alive
        assert await reload == 101
        assert toys.workers[0].dead
        assert await behind == 102
        assert [worker.spec.options.context_length for worker in toys.workers] == [4096, 100, 4096]


async def test_giving_up_on_a_reload_leaves_the_model_as_it_was(open_pool, toys, model, settle):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None):
            reload = pool.begin(model("a", num_ctx=100))
            await settle()
            behind = pool.begin(model("a"))
            await settle()
            assert not behind.done()
            reload.cancel()
            assert await behind == 100
        assert len(toys.workers) == 1


async def test_running_shows_models_coming_there_and_going(open_pool, model, settle):
    async with open_pool() as pool, pool.lease(model("a", trained=512, config={"model_family": "toy"}), FOREVER):
        loading = pool.begin(model("b", size=70, config={"load": "never"}), 10)
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
        assert pool.names() == ["a"]
        await pool.unload(model("a").artifact.key)
        assert pool.running()[0].expires_at <= time.time()


async def test_a_model_on_its_way_out_is_still_shown(open_pool, toys, model, settle):
    async with open_pool() as pool:
        await pool.use(model("a", config={"stubborn": True}), 0)
        await settle()
        (row,) = pool.running()
        assert row.expires_at <= time.time()
        again = pool.begin(model("a", config={"stubborn": True}))
        await settle()
        assert not again.done()
        toys.workers[0].kill()
        assert await again == 101
        toys.workers[1].kill()


async def test_closing_refuses_who_waits_and_ends_what_runs(open_pool, toys, until, model):
    async with open_pool() as pool:
        await pool.use(model("a"))
        loading = pool.begin(model("slow", config={"load": "never"}))
        waiting = pool.begin(model("b"))
        await until(lambda: toys.alive == ["a", "slow"])
        await pool.close()
        assert toys.alive == []
        for task in (loading, waiting):
            with pytest.raises(ServerBusyError, match="shutting down"):
                await task
        with pytest.raises(ServerBusyError, match="shutting down"):
            await pool.use(model("a"))


async def test_closing_ends_requests_that_are_running(open_pool, toys, prompt, model, settle):
    async with open_pool() as pool, pool.lease(model("a"), None) as lease:
        reading = asyncio.create_task(anext(lease.client.generate(prompt("wait"))))
        await settle()
        await pool.close()
        with pytest.raises(WorkerDiedError, match="unloaded while it was answering"):
            await reading
