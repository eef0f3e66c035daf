"""When an idle model goes (contract 16.4)."""

import asyncio
import time

from camelid.settings import FOREVER


async def test_an_idle_model_goes_after_its_keep_alive(open_pool, toys, until, model):
    async with open_pool() as pool:
        async with pool.lease(model("a"), 0.02):
            await asyncio.sleep(0.05)
            assert toys.alive == ["a"]
        assert toys.alive == ["a"]
        await until(lambda: toys.alive == [])
        assert await pool.use(model("a")) == 101


async def test_zero_unloads_as_soon_as_nobody_uses_the_model(open_pool, toys, until, model, settle):
    async with open_pool() as pool:
        async with pool.lease(model("a"), None):
            await pool.use(model("a"), 0)
            await settle()
            assert toys.alive == ["a"]
        await until(lambda: toys.alive == [])


async def test_a_later_keep_alive_replaces_and_an_absent_one_leaves_alone(open_pool, toys, until, model):
    async with open_pool(keep_alive=0.01) as pool:
        await pool.use(model("a"), FOREVER)
        await pool.use(model("a"))
        await asyncio.sleep(0.04)
        assert toys.alive == ["a"]
        await pool.use(model("a"), 0.01)
        await until(lambda: toys.alive == [])


async def test_a_new_lease_stops_the_timer(open_pool, toys, model):
    async with open_pool(keep_alive=0.03) as pool:
        await pool.use(model("a"))
        async with pool.lease(model("a"), None):
            await asyncio.sleep(0.06)
            assert toys.alive == ["a"]


async def test_unload_takes_an_idle_model_at_once_and_a_busy_one_when_it_is_idle(open_pool, toys, until, model):
    async with open_pool() as pool:
        await pool.use(model("a"))
        await pool.unload(model("a").artifact.key)
        assert toys.alive == []
        async with pool.lease(model("a"), None):
            await pool.unload(model("a").artifact.key)
            assert toys.alive == ["a"]
            assert pool.running()[0].expires_at <= time.time()
        await until(lambda: toys.alive == [])
        await pool.unload("never heard of")
