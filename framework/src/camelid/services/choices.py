"""Several answers to one request, generated at the same time (OpenAI's `n` and `best_of`)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

import msgspec

from camelid.types.options import SamplingOptions

__all__ = ("merged", "sampling_of_choice")

_Item = TypeVar("_Item")


def sampling_of_choice(sampling: SamplingOptions, place: int) -> SamplingOptions:
    """How one of several answers is sampled: equal seeds, whoever set them, would make them equal."""
    if not place or sampling.seed == -1:
        return sampling
    return msgspec.structs.replace(sampling, seed=(sampling.seed & 0xFFFF_FFFF) + place)


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
