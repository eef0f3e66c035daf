"""Several answers to one request, generated at the same time (OpenAI's `n` and `best_of`)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

from camelid.types.json import JsonObject

__all__ = ("merged", "options_of_choice")

_Item = TypeVar("_Item")


def options_of_choice(options: JsonObject, place: int) -> JsonObject:
    """The options of one of several answers: equal seeds would make them equal."""
    seed = options.get("seed")
    if not place or not isinstance(seed, int) or seed < 0:
        return options
    return {**options, "seed": seed + place}


async def merged(streams: Sequence[AsyncGenerator[_Item, None]]) -> AsyncGenerator[tuple[int, _Item], None]:
    """The items of all streams as they come, each with the place of its stream. Closes the streams.

    Raises:
        CamelidError: a stream failed; the others are closed.
    """
    if len(streams) == 1:
        async with aclosing(streams[0]) as only:
            async for item in only:
                yield 0, item
        return
    arrived: asyncio.Queue[tuple[int, _Item] | None] = asyncio.Queue()

    async def pass_on(place: int, stream: AsyncGenerator[_Item, None]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    arrived.put_nowait((place, item))
        finally:
            arrived.put_nowait(None)

    tasks = [asyncio.create_task(pass_on(place, stream)) for place, stream in enumerate(streams)]
    try:
        open_streams = len(tasks)
        while open_streams:
            found = await arrived.get()
            if found is not None:
                yield found
                continue
            open_streams -= 1
            for task in [task for task in tasks if task.done()]:
                tasks.remove(task)
                task.result()
        for task in tasks:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
