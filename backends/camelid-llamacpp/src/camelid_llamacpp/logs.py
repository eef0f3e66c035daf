"""llama.cpp's log: to Python's logging (so to standard error, never standard output), and kept where it says why."""

import ctypes
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from camelid_llamacpp.buffers import Buffer, parse_buffer
from camelid_llamacpp.native import llama_cpp

__all__ = ("NATIVE_LOG", "NativeLog")

_logger = logging.getLogger(__name__)

# enum ggml_log_level
_DEBUG, _WARNING, _ERROR, _CONTINUED = 1, 3, 4, 5


class NativeLog:
    """Receives every line that llama.cpp and ggml log in this process; there is one, as their log is global."""

    def __init__(self) -> None:
        self._complaints: deque[str] = deque(maxlen=12)
        self._buffers: deque[Buffer] = deque(maxlen=64)
        self._level = _DEBUG
        self._line = ""
        self._follower: Callable[[str], None] | None = None
        self._follower_error: Exception | None = None
        self._callback = llama_cpp.llama_log_callback(self._receive)  # kept: llama.cpp holds a bare pointer to it

    def install(self) -> None:
        """Take over from whoever received the log before: llama_cpp prints it."""
        self.install_in(llama_cpp.llama_log_set)

    def install_in(self, log_set: Callable[[object, object], None]) -> None:
        """The same for a library with a log of its own, which `log_set` directs."""
        log_set(self._callback, ctypes.c_void_p())

    def take_complaints(self) -> str:
        """The last warnings and errors since they were last taken, as one line."""
        text = "; ".join(self._complaints)
        self._complaints.clear()
        return text

    def take_buffers(self) -> tuple[Buffer, ...]:
        """The allocations since they were last taken."""
        buffers = tuple(self._buffers)
        self._buffers.clear()
        return buffers

    @contextmanager
    def followed_by(self, follower: Callable[[str], None]) -> Iterator[None]:
        """Within this context, `follower` gets each piece as llama.cpp logs it: a line, or a part of one.

        What it raises is raised when the context ends, for nothing can be raised through llama.cpp; until then it is
        not called again.
        """
        self._follower, self._follower_error = follower, None
        try:
            yield
        finally:
            self._follower = None
        if self._follower_error is not None:
            raise self._follower_error

    def _receive(self, level: int, text: bytes, _user_data: int | None) -> None:
        """The callback: a piece of a line, most often a whole one."""
        if level != _CONTINUED:
            self._level, self._line = level, ""
        if self._level <= _DEBUG:
            return  # thousands of lines about single tensors
        piece = text.decode("utf-8", "replace")
        if self._follower is not None:
            try:
                self._follower(piece)
            except Exception as error:  # noqa: BLE001 - raised by `followed_by`; ctypes would print and forget it
                self._follower, self._follower_error = None, error
        self._line += piece
        if self._line.endswith("\n"):
            line, self._line = self._line.strip(), ""
            if line:
                self._keep(line)

    def _keep(self, line: str) -> None:
        _logger.debug("%s", line)
        if self._level in (_WARNING, _ERROR):
            self._complaints.append(line)
        elif (buffer := parse_buffer(line)) is not None:
            self._buffers.append(buffer)


NATIVE_LOG = NativeLog()
