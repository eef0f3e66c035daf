"""Where plugins are being edited: each edit is acted upon once, whoever was waiting for it."""

import asyncio
import threading

import pytest

from camelid.engine.pool import Pool
from camelid.plugins.host import PluginHost
from camelid.settings import Settings


class SlowHost(PluginHost):
    """Takes as long to look for edits as a test wants."""

    begun, go, looking = threading.Event(), threading.Event(), 0

    def reload_edited(self) -> bool:
        self.looking += 1
        assert self.looking == 1, "two threads load plugins at once"
        self.begun.set()
        self.go.wait()
        self.looking -= 1
        return True


@pytest.mark.parametrize("leaves", [False, True])
async def test_an_edit_is_acted_upon_even_if_the_client_leaves_that_found_it(toys, toy_catalog, model, leaves):
    plugins = SlowHost.load(only=())
    plugins.begun, plugins.go = threading.Event(), threading.Event()
    settings = Settings(placement="toy", reload_plugins=True)
    pool = Pool(toy_catalog, settings, available=lambda: 1 << 40, plugins=plugins)
    forgotten = []
    pool.chooser.forget = lambda: forgotten.append(True)

    async def use():
        async with pool.lease(model("m"), None):
            pass

    try:
        first = asyncio.create_task(use())
        await asyncio.to_thread(plugins.begun.wait)
        second = asyncio.create_task(use())
        if leaves:
            first.cancel()
        await asyncio.sleep(0)
        plugins.go.set()
        await asyncio.gather(first, second, return_exceptions=True)
        assert (first.cancelled(), second.exception()) == (leaves, None)
        assert len(forgotten) == 2
    finally:
        plugins.go.set()
        await pool.close()
