"""Streams that may be open at once: who waits for one gets it in the order of asking."""

import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Final

__all__ = ("Slots",)

_SECONDS_BETWEEN_LOOKS: Final = 0.2


class Slots:
    """So many, for all transfers of a server. Safe to use from any thread.

    One that is given back goes to who has waited longest, so that two large pulls, which ask anew for each range,
    leave turns for a third one and for pushes.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._line: deque[Event] = deque()
        self._lock = Lock()
        self._moved = time.monotonic()

    def take(self, look: Callable[[], None], *, patience: float = float("inf")) -> None:
        """Wait in line for one.

        Args:
            look: called again and again meanwhile; what it raises ends the wait.
            patience: seconds in which nobody in line is served.

        Raises:
            TimeoutError: nobody was.
        """
        turn, begun = Event(), time.monotonic()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            self._line.append(turn)
        try:
            while not turn.wait(_SECONDS_BETWEEN_LOOKS):
                look()
                if time.monotonic() - max(begun, self._moved) > patience:
                    raise TimeoutError(f"no slot for {patience:g} s")
        except BaseException:
            self._leave(turn)
            raise

    def give_back(self) -> None:
        """Let the next one in line have it."""
        with self._lock:
            if self._line:
                self._moved = time.monotonic()
                self._line.popleft().set()
            else:
                self._free += 1

    def _leave(self, turn: Event) -> None:
        with self._lock:
            waiting = not turn.is_set()
            if waiting:
                self._line.remove(turn)
        if not waiting:
            self.give_back()
