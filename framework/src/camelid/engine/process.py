"""Workers as child processes of the server: the default placement."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from typing import Final, cast

from camelid.contracts.placement import Connection, ConversionSpec, Placement, WorkerSpec
from camelid.engine.post_mortem import OutputTail, exit_text
from camelid.errors import ProtocolError, WorkerError
from camelid.wire.framing import FrameReader, with_length

__all__ = ("ProcessPlacement",)

STDIN, STDOUT, STDERR = 0, 1, 2
LAST_WORDS_SECONDS: Final = 2.0
"""A dead worker's pipes may be held open by a grandchild, and a worker that closed its pipes may hang in its exit;
neither is waited for longer than this."""

# -P: the folder the server was started in must not shadow modules of the worker.
_COMMAND: Final = (sys.executable, "-P", "-m", "camelid.worker")


class ProcessPlacement(Placement):
    """Starts each worker as `python -m camelid.worker` on this machine, and talks to it through its pipes."""

    def __init__(self, command: Sequence[str] = _COMMAND) -> None:
        """Take another `command` to run workers under a debugger or a profiler."""
        self._command = tuple(command)

    @property
    def name(self) -> str:
        """`process`."""
        return "process"

    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        """Start a child process; see `Placement.start`."""
        loop = asyncio.get_running_loop()
        starting = asyncio.ensure_future(
            loop.subprocess_exec(
                lambda: _WorkerProcess(spec.name, on_frame, on_end),
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
            )
        )
        try:
            # Shielded, because uvloop forgets a process whose start is cancelled.
            _, process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                _, process = await starting
                process.kill()
                await process.gone.wait()
            raise
        except OSError as error:
            raise WorkerError("the model's worker could not be started", reason=str(error)) from error
        return process


class _WorkerProcess(asyncio.SubprocessProtocol):
    """One child process: cuts its output into frames and notices its end."""

    def __init__(self, name: str, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self.pid = 0
        self.gone = asyncio.Event()
        self._on_frame = on_frame
        self._on_end = on_end
        self._frames = FrameReader()
        self._errors = OutputTail(name)
        self._open = {STDOUT, STDERR}
        self._exited = False
        self._ended = False
        self._nonsense = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(STDIN))
        self.pid = self._transport.get_pid()

    def send(self, frame: bytes) -> None:
        if not self._ended and not self._stdin.is_closing():
            self._stdin.write(with_length(frame))

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._transport.kill()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDERR:
            self._errors.feed(data)
        elif not self._nonsense:
            try:
                frames = self._frames.feed(data)
            except ProtocolError as error:
                self._nonsense = f"it sent {error.reason} and was stopped: "
                self.kill()
            else:
                for frame in frames:
                    self._on_frame(frame)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._open.discard(fd)
        if fd == STDOUT and not self._exited:
            asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self.kill)
        self._end_if_silent()

    def process_exited(self) -> None:
        self._exited = True
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._end)
        self._end_if_silent()

    def _end_if_silent(self) -> None:
        if self._exited and not self._open:
            self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        status = exit_text(self._transport.get_returncode())
        self._transport.close()
        self.gone.set()
        self._on_end(f"{self._nonsense}{status}\n{self._errors.text()}".rstrip())
