"""What a worker does before anything else, so that no library can disturb its talk with the server."""

import faulthandler
import os
import signal
import sys

__all__ = ("take_pipes",)


def take_pipes() -> tuple[int, int]:
    """Move the real standard input and output away, and leave harmless ones in their place.

    What a library prints goes to standard error, which the server logs. Ctrl-C reaches the whole process group, but a
    worker ends only when the server says so or is gone. A crash in native code leaves a Python trace.

    Returns:
        The file descriptors that frames come from and go to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only there

        for descriptor in (requests, answers):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return requests, answers
