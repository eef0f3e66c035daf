"""How far a long task is: making a model or fetching one (contract 7.7, 7.8)."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, TypeAlias

import msgspec

__all__ = ("SUCCESS", "WRITING_MANIFEST", "Progress", "Report", "lines_of")

WRITING_MANIFEST: Final = "writing manifest"
SUCCESS: Final = "success"


class Progress(msgspec.Struct, frozen=True):
    """One line for the client."""

    status: str
    digest: str = ""
    """The blob that is being moved."""
    total: int = 0
    """Its bytes."""
    completed: int = 0
    """Bytes done."""


Report: TypeAlias = Callable[[Progress], None]
"""Takes a line, on the event loop; never blocks."""


async def lines_of(work: Callable[[Report], Awaitable[None]]) -> AsyncGenerator[Progress, None]:
    """The lines that some work reports, as it goes on; then its error, if it has one.

    Closing the iterator cancels the work and waits for its end. Of unread lines about the same thing only the last is
    kept.
    """
    lines: deque[Progress] = deque()
    news = asyncio.Event()

    def report(line: Progress) -> None:
        if lines and line.total and (lines[-1].status, lines[-1].digest) == (line.status, line.digest):
            lines.pop()
        lines.append(line)
        news.set()

    task = asyncio.ensure_future(work(report))
    task.add_done_callback(lambda _: news.set())
    try:
        while lines or not task.done():
            await news.wait()
            news.clear()
            while lines:
                yield lines.popleft()
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # whoever closed the iterator does not want it
