import asyncio
from contextlib import aclosing

import pytest

from camelid.services.progress import Progress, lines_of


async def told(work) -> list[Progress]:
    return [line async for line in lines_of(work)]


async def test_lines_come_in_order_and_news_of_one_thing_replaces_what_nobody_read():
    async def work(report):
        report(Progress("first"))
        report(Progress("first"))
        report(Progress("moving", total=3, completed=1))
        report(Progress("moving", total=3, completed=2))
        report(Progress("moving", "other", total=3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        report(Progress("last"))

    assert await told(work) == [
        Progress("first"),
        Progress("first"),
        Progress("moving", total=3, completed=2),
        Progress("moving", "other", total=3),
        Progress("last"),
    ]


async def test_the_error_comes_after_the_lines():
    async def work(report):
        report(Progress("so far"))
        raise ZeroDivisionError

    lines = lines_of(work)
    assert await anext(lines) == Progress("so far")
    with pytest.raises(ZeroDivisionError):
        await anext(lines)


async def test_closing_cancels_the_work_and_waits_for_its_end():
    ended = False

    async def work(report):
        nonlocal ended
        report(Progress("begun"))
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended = True

    async with aclosing(lines_of(work)) as lines:
        assert await anext(lines) == Progress("begun")
    assert ended
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_that_nobody_waits_for_is_forgotten():
    async def work(report):
        report(Progress("begun"))
        raise ZeroDivisionError

    async with aclosing(lines_of(work)) as lines:
        await anext(lines)
