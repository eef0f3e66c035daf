"""A worker that converts: one plugin, one file, and its life is over."""

import errno
import time
from collections.abc import Callable
from typing import Final

from camelid.errors import DiskFullError, ModelMemoryError, ProtocolError, RequestCancelledError
from camelid.plugins.host import PluginHost
from camelid.wire.messages import PROTOCOL_VERSION, Convert, Converted, Failed, FromWorker, Goodbye, Progress
from camelid.worker.pipes import Inbox
from camelid.worker.session import blame

__all__ = ("convert",)

REPORT_SECONDS: Final = 0.25
"""Least time between two `Progress` messages: more often no person looks."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def convert(
    message: Convert, inbox: Inbox, emit: Callable[[FromWorker], None], *, seconds: float = REPORT_SECONDS
) -> bool:
    """Do what the message asks for, and say how it ended.

    Args:
        message: what to convert, and whose converter does it.
        inbox: anything in it means that nobody wants the outcome any more.
        emit: takes what the server shall get: `Progress`, then `Converted` or `Failed`, then `Goodbye`.
        seconds: least time between two `Progress`.

    Returns:
        Whether the target is written.
    """
    distribution = ""
    try:
        if message.protocol != PROTOCOL_VERSION:
            versions = f"server {message.protocol}, worker {PROTOCOL_VERSION}"
            raise ProtocolError("server and worker are of different versions; restart the server", reason=versions)
        host = PluginHost.load(only={message.plugin}, process="worker")
        distribution = next((row.distribution for row in host.records if row.name == message.plugin), "")
        converter = host.converter(message.plugin, message.task.converter)
        converter.convert(message.task, _Reporter(inbox, emit, seconds))
    except Exception as error:  # noqa: BLE001 - a converter may raise anything, and the server shall hear of it
        emit(Failed(0, blame(_named(error), distribution or message.plugin)))
        emit(Goodbye())
        return False
    emit(Converted())
    emit(Goodbye())
    return True


class _Reporter:
    """Takes a converter's reports and lets few of them through."""

    def __init__(self, inbox: Inbox, emit: Callable[[FromWorker], None], seconds: float) -> None:
        self._inbox = inbox
        self._emit = emit
        self._seconds = seconds
        self._last = (-1, -1)
        self._due = time.monotonic()

    def __call__(self, completed: int, total: int) -> None:
        """Tell how far the work is, if that is news.

        Raises:
            RequestCancelledError: nobody wants the outcome any more. A process of its own is killed instead; a thread
                of the server can only end by itself.
        """
        if not self._inbox.empty():
            raise RequestCancelledError("the conversion was cancelled")
        now = time.monotonic()
        if now >= self._due and (completed, total) != self._last:
            self._last, self._due = (completed, total), now + self._seconds
            self._emit(Progress(int(completed), int(total)))


def _named(error: Exception) -> Exception:
    """What a full disk and too little memory are called; any other error as it is."""
    if isinstance(error, MemoryError):
        return ModelMemoryError("there is not enough memory to convert the model", reason=str(error))
    if isinstance(error, OSError) and error.errno in _FULL:
        return DiskFullError(
            "no space left for the converted model: remove models, or let OLLAMA_MODELS name a folder on a larger disk",
            reason=str(error),
        )
    return error
