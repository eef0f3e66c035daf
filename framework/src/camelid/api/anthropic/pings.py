"""Silence in a stream is noticed, so that the client can be told that somebody is still there."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

__all__ = ("with_silences",)

_Item = TypeVar("_Item")


async def with_silences(items: AsyncGenerator[_Item, None], seconds: float) -> AsyncGenerator[_Item | None, None]:
    """The items of an iterator, and None whenever there was none for so long. Closes `items`, whatever happens."""
    coming: asyncio.Task[_Item] | None = None
    try:
        while True:
            coming = asyncio.create_task(_next(items))
            while not (await asyncio.wait({coming}, timeout=seconds))[0]:
                yield None
            done, coming = coming, None
            try:
                item = done.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})
            if not coming.cancelled():
                coming.exception()  # looked at: nobody is left to be told
        await items.aclose()


async def _next(items: AsyncGenerator[_Item, None]) -> _Item:
    return await anext(items)
