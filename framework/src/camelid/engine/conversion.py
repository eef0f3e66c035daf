"""The server's side of conversions: a worker for each, one at a time, ended when it stalls or nobody waits."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, TypeAlias

from camelid.contracts.placement import Connection, ConversionSpec, Placement
from camelid.errors import CamelidError, ProtocolError, ServerBusyError, WorkerDiedError, WorkerTimeoutError
from camelid.plugins.catalog import RegisteredConverter
from camelid.types.conversion import ConversionTask
from camelid.wire.faults import error_from
from camelid.wire.framing import decode_from_worker, encode
from camelid.wire.messages import PROTOCOL_VERSION, Convert, Converted, Failed, Progress

__all__ = ("Conversions", "Done")

STALL_SECONDS: Final = 600.0
"""Without news of a conversion, until it is ended."""
GRACE_SECONDS: Final = 5.0
"""For a worker that has done its work, or was killed, to be gone."""

Done: TypeAlias = tuple[int, int]
"""How much is done and how much there is to do, in a unit that the converter chose."""

_log = logging.getLogger("camelid.engine")


class Conversions:
    """Runs converters. Each may fill the memory and all cores, so they wait for one another."""

    def __init__(self, placement: Placement, *, stall: float = STALL_SECONDS) -> None:
        """Take where workers run, and the seconds without news after which a conversion is ended."""
        self._placement = placement
        self._stall = stall
        self._turn = asyncio.Lock()
        self._running: _Conversion | None = None
        self._closed = False

    async def run(self, converter: RegisteredConverter, task: ConversionTask) -> AsyncGenerator[Done, None]:
        """Convert, in a worker of its own; afterwards the target is written and the worker gone.

        Closing the iterator, or cancelling whoever waits for it, ends the worker. What it has left at the target is the
        caller's to delete.

        Args:
            converter: whose plugin the worker imports.
            task: what to convert.

        Raises:
            WorkerTimeoutError: there was no news of it for too long.
            WorkerDiedError: its process ended.
            ServerBusyError: the server is shutting down.
            CamelidError: what the converter said.
        """
        async with self._turn:
            if self._closed:
                raise _shutting_down()
            self._running = conversion = _Conversion(self._stall)
            try:
                async with aclosing(conversion.run(self._placement, converter, task)) as news:
                    async for done in news:
                        yield done
            finally:
                self._running = None

    async def close(self) -> None:
        """End the one that runs and refuse those that wait."""
        self._closed = True
        if self._running is not None:
            self._running.fail(_shutting_down())
            await self._running.abandon()


class _Conversion:
    """One worker that converts."""

    def __init__(self, stall: float) -> None:
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._outcome: asyncio.Future[None] = loop.create_future()
        self._news = asyncio.Event()
        self._latest: Done | None = None
        self._stall = stall
        self._connection: Connection | None = None

    async def run(
        self, placement: Placement, converter: RegisteredConverter, task: ConversionTask
    ) -> AsyncGenerator[Done, None]:
        """See `Conversions.run`."""
        spec = ConversionSpec(converter.plugin, task)
        try:
            self._connection = await placement.start(spec, self._on_frame, self._on_end)
            self._connection.send(encode(Convert(PROTOCOL_VERSION, spec.plugin, spec.task)))
            while not self._outcome.done():
                await self._wait_for_news(spec.name)
                if self._latest is not None:
                    latest, self._latest = self._latest, None
                    yield latest
            self._outcome.result()
            await asyncio.wait({self._ended}, timeout=GRACE_SECONDS)
        finally:
            self._outcome.cancel()
            await self.abandon()

    def fail(self, error: CamelidError) -> None:
        """Let it end with this error, unless it has ended."""
        if not self._outcome.done():
            self._outcome.set_exception(error)
            self._outcome.exception()  # it may be that nobody is left to look at it
        self._news.set()

    async def abandon(self) -> None:
        """Kill the worker, unless it has gone, and see that it is gone."""
        if self._connection is None or self._ended.done():
            return
        self._connection.kill()
        done, _ = await asyncio.wait({self._ended}, timeout=GRACE_SECONDS)
        if not done:
            _log.error("a converter survived being killed (pid %d)", self._connection.pid)

    async def _wait_for_news(self, name: str) -> None:
        try:
            async with asyncio.timeout(self._stall):
                await self._news.wait()
        except TimeoutError as error:
            raise WorkerTimeoutError(
                f"the conversion came to a standstill and was stopped: no progress for {self._stall:g} seconds",
                reason=f"converter {name}",
            ) from error
        self._news.clear()

    def _on_frame(self, frame: bytes) -> None:
        try:
            message = decode_from_worker(frame)
        except ProtocolError as error:
            self.fail(error)
            return
        match message:
            case Progress():
                self._latest = (message.completed, message.total)
                self._news.set()
            case Converted():
                if not self._outcome.done():
                    self._outcome.set_result(None)
                self._news.set()
            case Failed():
                self.fail(error_from(message.fault))

    def _on_end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
        self.fail(_died(reason))


def _died(reason: str) -> WorkerDiedError:
    how = reason.partition("\n")[0] or "nobody knows why"
    return WorkerDiedError(f"the conversion broke off: {how}; the server's log may say more", reason=reason)


def _shutting_down() -> ServerBusyError:
    return ServerBusyError("the server is shutting down")
