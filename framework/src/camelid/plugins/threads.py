"""Calls of plugins that may never return, in threads that nobody has to wait for."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

__all__ = ("in_thread",)

_T = TypeVar("_T")


def in_thread(call: Callable[[], _T], name: str) -> Future[_T]:
    """Begin a call in a thread of its own.

    Unlike one of the event loop's executor, what never returns takes nobody else's place there, and does not keep the
    process from ending. A call that is given up goes on.

    Args:
        call: what blocks.
        name: of the thread, for debuggers.

    Returns:
        What it will return or raise.
    """
    answer: Future[_T] = Future()
    answer.set_running_or_notify_cancel()  # a thread cannot be called off

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer raises it, whatever it is
            answer.set_exception(error)
        else:
            answer.set_result(result)

    Thread(target=run, name=name, daemon=True).start()
    return answer
