"""A server of our own, for the length of one command."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from camelid.errors import CamelidError

__all__ = ("READY_PREFIX", "embedded_server")

READY_PREFIX: Final = "listening on "
"""What `camelid serve --until-stdin-closes` puts before its URL in its only line on stdout."""

_STOP_SECONDS: Final = 10.0
if sys.platform == "win32":
    _NEW_GROUP = subprocess.CREATE_NEW_PROCESS_GROUP  # what a session is elsewhere: Ctrl+C stays with us
else:
    _NEW_GROUP = 0
_LOG_TAIL_BYTES: Final = 4096


@contextmanager
def embedded_server(*, log_to_stderr: bool = False) -> Iterator[str]:
    """Start a server on a free port, give its URL, and end it with the context.

    It is a process in a session of its own, so that Ctrl+C at the terminal stops an answer and not the server. Its
    stdin is a pipe that only we hold: when we end, in whatever way, the server reads the end of it and stops.

    Args:
        log_to_stderr: let its log be seen; otherwise it is only kept for the sentence of an error.

    Raises:
        CamelidError: it did not start; the message is what it said last.
    """
    command = [sys.executable, "-P", "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if log_to_stderr else log,
            start_new_session=True,
            creationflags=_NEW_GROUP,
        )
        try:
            yield _url(process, log)
        finally:
            _stop(process)


def _url(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    line = (process.stdout.readline() if process.stdout else b"").decode("utf-8", "replace").strip()
    if line.startswith(READY_PREFIX):
        return line.removeprefix(READY_PREFIX)
    code = process.wait()
    size = log.seek(0, 2)
    log.seek(max(0, size - _LOG_TAIL_BYTES))
    said = [text for text in log.read().decode("utf-8", "replace").splitlines() if text.strip()]
    last = said[-1].removeprefix("Error: ") if said else f"it ended with {code}"
    raise CamelidError(f"the server for this command did not start: {last}", reason="\n".join(said))


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
