"""The programs that keep Docker's logins in a keychain: `docker-credential-NAME`."""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Final

import msgspec

__all__ = ("Credential", "ask_program")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Nothing that leads out of the folders of `PATH`."""
_PREFIX: Final = "docker-credential-"
_SECONDS: Final = 30.0
"""For an answer: some ask a person first."""
_LONGEST_ANSWER: Final = 1 << 16
_NONE_IS_KEPT: Final = b"credentials not found"
"""How the sentence begins with which these programs refuse a host that they do not know."""

_log = logging.getLogger(__name__)


class Credential(msgspec.Struct, frozen=True):
    """What a program keeps of a host."""

    user: str = msgspec.field(name="Username", default="")
    secret: str = msgspec.field(name="Secret", default="")


def ask_program(name: str, host: str) -> Credential | None:
    """Ask for the login of a host; None if the program keeps none, or fails, which the log tells. Blocks.

    What the program says is never logged: it might be a secret.

    Args:
        name: what stands behind `docker-credential-` in its file name, as Docker's configuration says it.
        host: as the program knows it.
    """
    program = shutil.which(f"{_PREFIX}{name}") if _NAME.fullmatch(name) else None
    if program is None or not Path(program).is_absolute():
        _log.warning("Docker's logins for %s are kept by %s%.64s, which is not installed", host, _PREFIX, ascii(name))
        return None
    try:
        status, answer = _run(program, host.encode())
    except OSError as error:
        _log.warning("%s cannot be run for %s: %s", program, host, error)
        return None
    if status == 0 and len(answer) <= _LONGEST_ANSWER:
        try:
            return msgspec.json.decode(answer, type=Credential)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            _log.warning("what %s says of %s is no login", program, host)
    elif not answer.startswith(_NONE_IS_KEPT):
        _log.warning("%s gives no login for %s: it ended with status %d, or said too much", program, host, status)
    return None


def _run(program: str, question: bytes) -> tuple[int, bytes]:
    """Status and answer, of which one byte more may be read than it may have."""
    with subprocess.Popen(
        [program, "get"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise OSError("it has no pipes")
        alarm = Timer(_SECONDS, _kill, (process,))
        alarm.start()
        try:
            with suppress(BrokenPipeError):  # whoever does not want the question may answer all the same
                process.stdin.write(question)
                process.stdin.close()
            answer = process.stdout.read(_LONGEST_ANSWER + 1)
            if len(answer) > _LONGEST_ANSWER:
                _kill(process)
            return process.wait(), answer
        finally:
            alarm.cancel()


if sys.platform == "win32":

    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()

else:

    def _kill(process: subprocess.Popen[bytes]) -> None:
        """It and whatever it started, which might hold the pipe open."""
        with suppress(ProcessLookupError):  # it just ended
            os.killpg(process.pid, signal.SIGKILL)
