"""The models in memory: adding them, letting them go when their time has come, noticing their death."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from camelid.engine.changes import Signal
from camelid.engine.quarantine import Quarantine
from camelid.engine.runner import Key, Runner, expiry
from camelid.types.events import ModelLoaded, ModelUnloaded

__all__ = ("Fleet",)

_log = logging.getLogger("camelid.engine")


class Fleet:
    """All runners, those on their way out too: their memory is not free yet."""

    def __init__(
        self,
        quarantine: Quarantine,
        on_usable: Callable[[Runner], None],
        tell: Callable[[ModelLoaded | ModelUnloaded], None],
    ) -> None:
        """Make an empty fleet.

        Args:
            quarantine: told of each death.
            on_usable: called when a runner that refused new leases takes them again.
            tell: takes what observers shall know.
        """
        self.changed = Signal()
        """A lease ended, or a runner came or went."""
        self._quarantine = quarantine
        self._on_usable = on_usable
        self._tell = tell
        self._runners: dict[Key, Runner] = {}

    @property
    def runners(self) -> tuple[Runner, ...]:
        """All of them, in the order they were loaded."""
        return tuple(self._runners.values())

    def get(self, key: Key) -> Runner | None:
        """The runner of a model; it may be dying or on its way out (`Runner.usable`)."""
        return self._runners.get(key)

    def others(self, key: Key) -> list[Runner]:
        """The runners of other models."""
        return [runner for runner in self._runners.values() if runner.key != key]

    def add(self, runner: Runner) -> None:
        """Take in a runner that was just loaded."""
        self._runners[runner.key] = runner
        seconds = runner.client.ready.load_duration / 1e9
        _log.info("loaded %s on %s in %.2f seconds", runner.request.name, runner.key[1], seconds)
        runner.client.ended.add_done_callback(partial(self._on_end, runner))
        self._tell(runner.loaded())
        self.changed.notify()

    def release(self, runner: Runner) -> None:
        """End a lease."""
        runner.leave()
        self.settle(runner)

    def settle(self, runner: Runner) -> None:
        """If nobody uses a runner, let its keep-alive begin (contract 16.4)."""
        if runner.idle and runner.client.alive:
            runner.expires_at = expiry(runner.keep_alive)
            if runner.keep_alive <= 0:
                self.unload(runner)
            elif not runner.stays_forever:
                runner.stop_timer()
                runner.timer = asyncio.get_running_loop().call_later(runner.keep_alive, self.unload, runner)
        self.changed.notify()

    def unload(self, runner: Runner) -> asyncio.Task[None]:
        """Begin to close an idle runner; the task ends when its memory is free."""
        if runner.closing is None:
            runner.stop_timer()
            runner.expires_at = min(runner.expires_at, time.time())
            runner.closing = asyncio.create_task(self._close(runner), name=f"unloading {runner.request.name}")
        return runner.closing

    async def retire(self, runner: Runner) -> None:
        """Let a runner's leases end, take no new ones, and unload it. If this is cancelled before, it stays."""
        with self.held(runner):
            await self.changed.wait_for(lambda: runner.active == 0 or not runner.client.alive)
            closing = self.unload(runner)
        await asyncio.shield(closing)

    def held(self, runner: Runner) -> "_Hold":
        """A context in which nobody new may join the runner."""
        return _Hold(runner, self._on_usable)

    async def close(self) -> None:
        """Unload everything, idle or not. Each worker gets a few seconds, all at the same time."""
        closing = [self.unload(runner) for runner in self.runners]
        if closing:
            await asyncio.wait(closing)

    async def _close(self, runner: Runner) -> None:
        doomed, death = not runner.client.alive, ""
        try:
            await runner.client.close()
        finally:
            if doomed and runner.client.ended.done():
                death = self._record_death(runner)
            _log.info("unloaded %s from %s", runner.request.name, runner.key[1])
            self._remove(runner, death)

    def _on_end(self, runner: Runner, _ended: asyncio.Future[str]) -> None:
        if runner.closing is None:
            self._remove(runner, self._record_death(runner))

    def _record_death(self, runner: Runner) -> str:
        """Note that a worker died; a short phrase that says why."""
        reason = runner.client.ended.result()
        _log.warning("the worker of %s died: %s", runner.request.name, reason)
        death = reason.partition("\n")[0]
        self._quarantine.record(runner.key, death)
        return death

    def _remove(self, runner: Runner, death: str) -> None:
        runner.stop_timer()
        if self._runners.get(runner.key) is runner:
            del self._runners[runner.key]
            self._tell(runner.unloaded(death))
        self.changed.notify()


class _Hold:
    """Keeps newcomers off a runner."""

    def __init__(self, runner: Runner, on_usable: Callable[[Runner], None]) -> None:
        self._runner = runner
        self._on_usable = on_usable

    def __enter__(self) -> None:
        self._runner.retiring = True

    def __exit__(self, *_: object) -> None:
        self._runner.retiring = False
        if self._runner.usable:
            self._on_usable(self._runner)
