"""Why a worker process ended, in words: its exit status and the last lines it wrote to standard error."""

import logging
import re
import signal
from collections import deque
from typing import Final

from camelid.plugins import trace

__all__ = ("OutputTail", "exit_text")

TAIL_LINES: Final = 20
LONGEST_LINE: Final = 2000
"""Bytes; what is longer is cut, so that a library that prints without newlines fills no memory."""

_log = logging.getLogger("camelid.worker")
_TRACE: Final = "Traceback (most recent call last)"
_ALARMING = re.compile(r"\b(error|fatal|warn|warning|failed|traceback|assert|abort)", re.IGNORECASE)


def exit_text(returncode: int | None) -> str:
    """What a return code means: `killed by SIGSEGV`, `exited with status 1`."""
    if returncode is None:
        return "gone without an exit status"
    if returncode >= 0:
        # Windows reports crashes as large codes that people know in hexadecimal: 0xC0000005.
        return f"exited with status {returncode if returncode < 256 else hex(returncode)}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    hint = " (perhaps by the kernel, for want of memory)" if name == "SIGKILL" else ""
    return f"killed by {name}{hint}"


class OutputTail:
    """Logs what a worker writes to standard error, line by line, and remembers the last lines."""

    def __init__(self, name: str) -> None:
        """Take `name` as what the log lines belong to: the model, or the converter."""
        self.name = name
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._in_trace = False
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Take what the pipe brought, in any pieces."""
        *lines, partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._take(line)
        self._partial = partial[:LONGEST_LINE]

    def text(self) -> str:
        """The last lines, also one that was not ended."""
        if self._partial:
            self._take(self._partial)
            self._partial = b""
        return "\n".join(self._lines)

    def _take(self, raw: bytes) -> None:
        line = raw[:LONGEST_LINE].decode(errors="replace").rstrip()
        if line:
            self._lines.append(line)
            _log.log(self._level(line), "%s: %s", self.name, line)

    def _level(self, line: str) -> int:
        """How loudly a line is to be told: a traceback is a warning to its end, the first line that is not indented."""
        if trace.LOGGER in line:
            return logging.INFO
        alarming = self._in_trace or _ALARMING.search(line)
        self._in_trace = line.startswith(_TRACE) or (self._in_trace and line.startswith(" "))
        return logging.WARNING if alarming else logging.DEBUG
