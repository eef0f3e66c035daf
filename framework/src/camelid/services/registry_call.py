"""Calls of a registry that may never return: each runs in a thread of its own, and is given up in time."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import Final, TypeAlias, TypeVar

from camelid.services.watched_job import AbandonedError

__all__ = ("Beat", "call_registry")

Beat: TypeAlias = Callable[[], None]
"""Says that a call gets on. Raises if that is of no use any more, to end it."""

_SECONDS_BETWEEN_LOOKS: Final = 0.06
_T = TypeVar("_T")


class _Pulse:
    """When the call last got on."""

    def __init__(self) -> None:
        self.heard = time.monotonic()
        self.given_up = False

    def beat(self) -> None:
        """It gets on. Raises if that is of no use any more."""
        if self.given_up:
            raise AbandonedError
        self.heard = time.monotonic()


def call_registry(work: Callable[[Beat], _T], *, patience: float, watch: Callable[[], None] = lambda: None) -> _T:
    """Do what blocks, for as long as it gets on.

    A thread cannot be ended from outside: one that is given up ends when its read returns, and changes nothing then.

    Args:
        work: the call. It calls its argument when it gets on, and lets through what that raises.
        patience: seconds without that.
        watch: called again and again, in the caller's thread; what it raises ends the wait.

    Returns:
        What `work` returns; what it raises is raised.

    Raises:
        TimeoutError: it did not get on.
    """
    pulse = _Pulse()
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(work(pulse.beat))
        except BaseException as error:  # noqa: BLE001 - the caller raises it, whatever it is
            answer.set_exception(error)

    # A daemon: what never returns must not keep the server from ending.
    Thread(target=run, name="registry", daemon=True).start()
    try:
        while not wait((answer,), _SECONDS_BETWEEN_LOOKS).done:
            watch()
            if time.monotonic() - pulse.heard > patience:
                raise TimeoutError(f"nothing was heard of the registry for {patience:g} s")
        return answer.result()
    finally:
        pulse.given_up = True
