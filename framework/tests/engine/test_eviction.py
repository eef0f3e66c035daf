"""How many models there may be, and which one makes room (contract 16.5, 16.6)."""

import msgspec
import pytest

from camelid.errors import ModelMemoryError


async def test_a_second_model_evicts_the_first_where_one_is_allowed(open_pool, toys, model):
    async with open_pool(max_loaded_models=1) as pool:
        await pool.use(model("a"))
        await pool.use(model("b"))
        assert toys.alive == ["b"]


async def test_three_models_are_kept_by_default(open_pool, toys, model):
    async with open_pool() as pool:
        for name in "abcd":
            await pool.use(model(name))
        assert toys.alive == ["b", "c", "d"]


async def test_the_shortest_keep_alive_goes_first_and_then_the_one_not_used_for_longest(open_pool, toys, model):
    async with open_pool() as pool:
        await pool.use(model("a"), 100)
        await pool.use(model("b"), 50)
        await pool.use(model("c"), 100)
        await pool.use(model("d"), 100)
        assert toys.alive == ["a", "c", "d"]
        await pool.use(model("a"))
        await pool.use(model("e"), 100)
        assert toys.alive == ["a", "d", "e"]


async def test_a_busy_model_is_evicted_only_when_no_idle_one_is_left(open_pool, toys, model):
    async with open_pool(max_loaded_models=2) as pool, pool.lease(model("a"), 1):
        await pool.use(model("b"), 100)
        await pool.use(model("c"), 100)
        assert toys.alive == ["a", "c"]


async def test_a_newcomer_waits_for_a_busy_model_and_its_later_requests_wait_behind(open_pool, toys, model, settle):
    async with open_pool(max_loaded_models=1) as pool:
        async with pool.lease(model("a"), None):
            newcomer = pool.begin(model("b"))
            await settle()
            behind = pool.begin(model("a"))
            await settle()
            assert [newcomer.done(), behind.done()] == [False, False]
            assert toys.alive == ["a"]
        assert (await newcomer, await behind) == (101, 102)


async def test_a_newcomer_that_gives_up_leaves_the_busy_model_to_others(open_pool, toys, model, settle):
    async with open_pool(max_loaded_models=1) as pool, pool.lease(model("a"), None):
        newcomer = pool.begin(model("b"))
        await settle()
        behind = pool.begin(model("a"))
        await settle()
        newcomer.cancel()
        assert await behind == 100
        assert len(toys.workers) == 1


async def test_the_first_busy_model_that_becomes_idle_makes_room(open_pool, toys, model, settle):
    async with open_pool(max_loaded_models=2) as pool, pool.lease(model("a"), 1):
        async with pool.lease(model("b"), 100):
            newcomer = pool.begin(model("c"))
            await settle()
            assert not newcomer.done()
        assert await newcomer == 102
        assert toys.alive == ["a", "c"]
        assert await pool.use(model("a")) == 100


async def test_a_model_that_would_not_fit_beside_others_evicts_them_first(open_pool, toys, model):
    def free() -> int:
        return 1000 - 400 * len(toys.alive)

    async with open_pool(available=free) as pool:
        await pool.use(model("a", size=480))
        await pool.use(model("b", size=481))
        assert toys.alive == ["b"]
        await pool.use(model("c", size=480))
        assert toys.alive == ["b", "c"]
        await pool.use(model("huge", size=10_000))
        assert toys.alive == ["huge"]


async def test_running_out_of_memory_evicts_the_others_and_tries_again(open_pool, toys, model):
    async with open_pool() as pool:
        await pool.use(model("a"))
        with pytest.raises(ModelMemoryError, match="too large"):
            await pool.use(model("b", num_ctx=100, config={"load": {"memory": 99}}))
        assert [worker.spec.artifact.name for worker in toys.workers] == ["a", "b", "b"]
        assert toys.alive == []


async def test_an_automatic_context_shrinks_until_it_fits(open_pool, toys, model):
    async with open_pool(context_length=100_000) as pool:
        request = model("a", config={"load": {"memory": 5000}})
        await pool.use(request)
        assert [worker.spec.options.context_length for worker in toys.workers] == [100_000, 32768, 4096]
        await pool.use(request)
        assert len(toys.workers) == 3


async def test_layers_leave_the_accelerator_until_the_rest_fits(open_pool, toys, model):
    async with open_pool() as pool:
        request = msgspec.structs.replace(model("a", config={"load": {"gpu_layers": 15}}), layers=32)
        await pool.use(request)
        assert [worker.spec.options.gpu_layers for worker in toys.workers] == [-1, 22, 14]
        await pool.use(request)
        assert len(toys.workers) == 3


async def test_layers_that_a_request_names_stay_where_they_are(open_pool, toys, model):
    async with open_pool() as pool:
        asked = model("a", num_gpu=20, num_ctx=100, config={"load": {"gpu_layers": 15}})
        with pytest.raises(ModelMemoryError, match="too large"):
            await pool.use(msgspec.structs.replace(asked, layers=32))
        assert [worker.spec.options.gpu_layers for worker in toys.workers] == [20]


async def test_a_model_that_no_accelerator_takes_is_refused_in_the_end(open_pool, toys, model):
    async with open_pool() as pool:
        asked = model("a", num_ctx=100, config={"load": {"gpu_layers": -5}})
        with pytest.raises(ModelMemoryError, match="too large"):
            await pool.use(msgspec.structs.replace(asked, layers=5))
        assert [worker.spec.options.gpu_layers for worker in toys.workers] == [-1, 4, 2, 1, 0]
