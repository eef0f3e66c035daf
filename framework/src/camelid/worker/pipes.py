"""Frames over the worker's two pipes: a thread that reads, and a writer that blocks."""

import logging
import os
import queue
from collections.abc import Callable
from threading import Lock
from typing import Final, TypeAlias

import msgspec

from camelid.errors import ProtocolError
from camelid.wire.faults import fault_from
from camelid.wire.framing import FrameReader, decode_to_worker, encode, with_length
from camelid.wire.messages import Failed, FromWorker, ToWorker

__all__ = ("EXIT_NONSENSE", "EXIT_ORPHANED", "FrameWriter", "Inbox", "read_frames")

Inbox: TypeAlias = "queue.SimpleQueue[ToWorker | None]"
"""What the server sent; None = it is gone."""

EXIT_ORPHANED: Final = 0
"""Exit status after the server went away: nobody is left who could mind."""
EXIT_NONSENSE: Final = 76
"""Exit status after bytes that cannot be cut into frames (EX_PROTOCOL)."""

_CHUNK: Final = 1 << 16
_log = logging.getLogger("camelid.worker")


class FrameWriter:
    """Writes one frame at a time. Blocks while the pipe is full, which it is not for long: the server always reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = Lock()

    def send(self, message: FromWorker) -> None:
        """Write a message. If nobody reads any more, this process has no purpose left and ends."""
        data = memoryview(with_length(encode(message)))
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except BrokenPipeError:
                os._exit(EXIT_ORPHANED)


def read_frames(descriptor: int, inbox: Inbox, emit: Callable[[FromWorker], None]) -> None:
    """Put what the server sends into the inbox, until it is gone; then end the process, whatever the engine does.

    A frame that is no message fails its request, if an id can be read, and is logged. Bytes that are no frames end the
    worker, because nothing after them could be understood.
    """
    frames = FrameReader()
    while True:
        try:
            data = os.read(descriptor, _CHUNK)
        except OSError:
            data = b""
        if not data:
            os._exit(EXIT_ORPHANED)
        try:
            complete = frames.feed(data)
        except ProtocolError as error:
            _log.critical("the server sent nonsense: %s", error.reason)
            emit(Failed(0, fault_from(error)))
            os._exit(EXIT_NONSENSE)
        for frame in complete:
            try:
                inbox.put(decode_to_worker(frame))
            except ProtocolError as error:
                _log.error("%s: %s", error.message, error.reason)
                request = _request_of(frame)
                if request:
                    emit(Failed(request, fault_from(error)))


def _request_of(frame: bytes) -> int:
    """The id in a frame that could not be decoded, where every request has it; 0 if there is none."""
    try:
        match msgspec.msgpack.decode(frame):
            case [str(), int(request), *_] if request > 0 and not isinstance(request, bool):
                return request
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return 0
