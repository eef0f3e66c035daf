import asyncio
from contextlib import aclosing

import pytest

from camelid.api.anthropic.pings import with_silences


async def test_items_pass_and_silences_are_told():
    heard = asyncio.Event()

    async def items():
        yield 1
        yield 2
        await heard.wait()
        yield 3

    found = []
    async with aclosing(with_silences(items(), 0.01)) as all_items:
        async for item in all_items:
            found.append(item)
            if item is None:
                heard.set()
    assert [item for item in found if item] == [1, 2, 3]
    assert found[2] is None


async def test_an_error_ends_it():
    async def items():
        yield 1
        raise ValueError("broken")

    async with aclosing(with_silences(items(), 10)) as all_items:
        assert await anext(all_items) == 1
        with pytest.raises(ValueError, match="broken"):
            await anext(all_items)


@pytest.mark.parametrize("fails", [False, True])
async def test_closing_it_closes_the_items(fails):
    closed = asyncio.Event()

    async def items():
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            closed.set()
            if fails:
                raise ValueError("while it was closed")

    async with aclosing(with_silences(items(), 0.01)) as all_items:
        assert await anext(all_items) is None
    assert closed.is_set()


async def test_cancelling_who_waits_closes_the_items():
    closed = asyncio.Event()

    async def items():
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            closed.set()

    async def read() -> None:
        async with aclosing(with_silences(items(), 10)) as all_items:
            await anext(all_items)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert closed.is_set()
