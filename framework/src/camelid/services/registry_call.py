"""Calls of a registry that may never return, or fail for a while: given up in time, and made again with pauses."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import wait
from functools import partial
from typing import TypeAlias, TypeVar

import msgspec

from camelid.plugins.threads import in_thread
from camelid.services.watched_job import AbandonedError
from camelid.store.transfer_policy import SECONDS_BETWEEN_NEWS

__all__ = ("Beat", "CallRules", "Watch", "call_registry", "sleep")

Beat: TypeAlias = Callable[[], None]
"""Says that a call gets on. Raises if that is of no use any more, to end it."""
Watch: TypeAlias = Callable[[], None]
"""Called again and again by who waits for something, in its own thread; what it raises ends the wait."""

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class CallRules(msgspec.Struct, frozen=True, kw_only=True):
    """How patient one is with a call."""

    patience: float
    """Seconds in which it must get on."""
    tries: int
    pause: float
    """Seconds before the second try; twice as many before each further one."""
    passing: tuple[type[Exception], ...]
    """After which it is made again."""


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


def call_registry(work: Callable[[Beat], _T], rules: CallRules, watch: Watch) -> _T:
    """Do what blocks, for as long as it gets on, and again if it fails for a reason that may pass.

    A thread cannot be ended from outside: one that is given up ends when its read returns, and changes nothing then.

    Args:
        work: the call. It calls its argument when it gets on, and lets through what that raises.
        rules: how often, and for how long.
        watch: ends it.

    Returns:
        What `work` returns; what it raises the last time is raised.

    Raises:
        TimeoutError: it did not get on the last time.
    """
    for again in range(1, rules.tries):
        try:
            return _call(work, rules.patience, watch)
        except rules.passing as error:
            _log.info("a registry, try %d: %s", again, error)
        sleep(rules.pause * 2.0 ** (again - 1), watch)
    return _call(work, rules.patience, watch)


def sleep(seconds: float, watch: Watch) -> None:
    """Wait; what `watch` raises ends it, for example when nobody waits any more."""
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        time.sleep(min(rest, SECONDS_BETWEEN_NEWS))
        watch()


def _call(work: Callable[[Beat], _T], patience: float, watch: Watch) -> _T:
    pulse = _Pulse()
    answer = in_thread(partial(work, pulse.beat), "registry")
    try:
        while not wait((answer,), SECONDS_BETWEEN_NEWS).done:
            watch()
            if time.monotonic() - pulse.heard > patience:
                raise TimeoutError(f"nothing was heard of the registry for {patience:g} s")
        return answer.result()
    finally:
        pulse.given_up = True
