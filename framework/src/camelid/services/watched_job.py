"""Work in a thread of its own, a pull or a push, watched from the event loop by any number of clients."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Lock, Thread
from typing import TypeAlias

from camelid.services.progress import Progress
from camelid.store.transfer_policy import SECONDS_BETWEEN_NEWS
from camelid.types.names import ModelName

__all__ = ("AbandonedError", "Report", "WatchedJob", "WatchedJobs", "Watcher")

Report: TypeAlias = Callable[[Progress], None]
"""Takes each line of the work, in the work's thread. Raises, to end the work, when nobody watches any more."""


class AbandonedError(Exception):
    """Nobody watches any more: what `Report` raises. It is no failure, and nobody hears of it."""


class Watcher:
    """The lines for one client. Of unread lines with the same status only the last is kept."""

    def __init__(self, seen: dict[str, Progress]) -> None:
        self._lines = dict(seen)
        self._news = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    def put(self, line: Progress) -> None:
        """Add a line."""
        self._lines[line.status] = line
        self._news.set()

    def end(self, error: BaseException | None) -> None:
        """No more lines come. The reader gets the unread ones, then the error, if there is one."""
        self._ended, self._error = True, error
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[Progress]:
        """The lines, until the end."""
        while self._lines or not self._ended:
            while self._lines:
                yield self._lines.pop(next(iter(self._lines)))
            if not self._ended:
                self._news.clear()
                await self._news.wait()
        if self._error is not None:
            raise self._error


class WatchedJob:
    """Runs work until it ends or nobody watches.

    The thread is not one of the event loop's own: a few slow downloads would leave none for other requests.
    """

    def __init__(self, work: Callable[[Report], None], on_end: Callable[["WatchedJob"], None]) -> None:
        """Start, on the running event loop.

        Args:
            work: blocks, and tells through its argument how far it is.
            on_end: called on the event loop when the work has ended or is given up: nobody may join any more.
        """
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._watchers: list[Watcher] = []
        self._seen: dict[str, Progress] = {}
        self._abandoned = Event()
        self._lock = Lock()
        self._unsent: dict[str, Progress] = {}
        self._last: Progress | None = None
        self._last_time = 0.0
        # A daemon: a stalled download must not keep the server from ending, and loses nothing that was complete.
        Thread(target=self._run, args=(work,), name="watched", daemon=True).start()

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """The lines so far and those to come. When the last watcher leaves, the work is given up."""
        watcher = Watcher(self._seen)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)
            if not self._watchers:
                self._abandoned.set()
                self._on_end(self)

    def _run(self, work: Callable[[Report], None]) -> None:
        """The thread."""
        error: BaseException | None = None
        try:
            work(self._report)
        except AbandonedError:
            pass
        except BaseException as caught:  # noqa: BLE001 - every watcher raises it, whatever it is
            error = caught
        with suppress(RuntimeError):  # the event loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(self._end, error)

    def _report(self, line: Progress) -> None:
        if self._abandoned.is_set():
            raise AbandonedError
        now = time.monotonic()
        if self._last is not None and self._last.status == line.status:
            hurried = now - self._last_time < SECONDS_BETWEEN_NEWS
            if line == self._last or (hurried and line.completed < line.total):
                return
        self._last, self._last_time = line, now
        with self._lock:
            announced = bool(self._unsent)
            self._unsent[line.status] = line
        if not announced:
            try:
                self._loop.call_soon_threadsafe(self._send)
            except RuntimeError as error:
                raise AbandonedError from error

    def _send(self) -> None:
        """On the event loop: hand the lines to the watchers."""
        with self._lock:
            unsent, self._unsent = self._unsent, {}
        self._seen |= unsent
        for watcher in self._watchers:
            for line in unsent.values():
                watcher.put(line)

    def _end(self, error: BaseException | None) -> None:
        """On the event loop: the work is done."""
        self._send()
        self._on_end(self)
        for watcher in self._watchers:
            watcher.end(error)


class WatchedJobs:
    """Work on models that is done once for all who ask for the same while it runs."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, str, bool], WatchedJob] = {}

    async def lines(
        self, name: ModelName, work: Callable[[Report], None], *, insecure: bool
    ) -> AsyncGenerator[Progress, None]:
        """The lines of the work on a model, which begins unless it runs. Close the iterator to leave.

        Args:
            name: of the model.
            work: see `WatchedJob`.
            insecure: whether plain http is allowed: who wants https must not join those who do not.
        """
        key = (name.scheme, name.qualified.lower(), insecure)
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = WatchedJob(work, partial(self._forget, key))
        with job.watch() as watcher:
            async for line in watcher:
                yield line

    def _forget(self, key: tuple[str, str, bool], job: WatchedJob) -> None:
        """Let the next one begin anew."""
        if self._jobs.get(key) is job:
            del self._jobs[key]
