"""Models whose workers die again and again are left alone for a while."""

import time
from collections.abc import Callable, Hashable
from typing import Final

import msgspec

from camelid.errors import WorkerQuarantinedError

__all__ = ("Quarantine",)

DEATHS: Final = 3
WINDOW_SECONDS: Final = 60.0
FIRST_PAUSE_SECONDS: Final = 30.0
LONGEST_PAUSE_SECONDS: Final = 600.0


class _History(msgspec.Struct):
    deaths: list[float] = []
    until: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    """Seconds of the next quarantine."""
    reason: str = ""


class Quarantine:
    """Remembers deaths by model. After `DEATHS` within `WINDOW_SECONDS` the model is not started for a pause, which
    doubles each time; a model that lived longer than the longest pause starts anew.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._histories: dict[Hashable, _History] = {}

    def record(self, key: Hashable, reason: str) -> None:
        """Note that a model's worker died, while it was loading or later.

        Args:
            key: which model.
            reason: a short phrase that clients may see: `killed by SIGSEGV`.
        """
        now = self._clock()
        self._forget(now)
        history = self._histories.setdefault(key, _History())
        history.deaths = [death for death in history.deaths if now - death <= WINDOW_SECONDS] + [now]
        history.reason = reason
        if len(history.deaths) >= DEATHS:
            history.deaths.clear()
            history.until = now + history.pause
            history.pause = min(2 * history.pause, LONGEST_PAUSE_SECONDS)

    def check(self, key: Hashable, name: str) -> None:
        """Refuse a model that is in quarantine.

        Args:
            key: which model.
            name: how to call it in the message.

        Raises:
            WorkerQuarantinedError: says why, and in how many seconds it will be tried again.
        """
        history = self._histories.get(key)
        if history is None:
            return
        left = history.until - self._clock()
        if left > 0:
            raise WorkerQuarantinedError(
                f"the worker of {name!r} died {DEATHS} times within {WINDOW_SECONDS:.0f} seconds ({history.reason}); "
                f"it will be started again in {left:.0f} seconds; see the server's log",
                reason=history.reason,
            )

    def clear(self) -> None:
        """Forget all deaths: what they died of may have been mended."""
        self._histories.clear()

    def _forget(self, now: float) -> None:
        """Drop models whose last death is long past, so that the memory of them does not grow."""
        for key, history in list(self._histories.items()):
            last = max([history.until, *history.deaths])
            if now - last > LONGEST_PAUSE_SECONDS:
                del self._histories[key]
