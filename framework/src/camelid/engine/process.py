"""Workers as child processes of the server: the default placement."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from typing import Final, cast

from camelid.contracts.placement import Connection, ConversionSpec, Placement, WorkerPreparation, WorkerSpec
from camelid.engine.post_mortem import OutputTail, exit_text
from camelid.errors import ProtocolError, WorkerError
from camelid.wire.framing import FrameReader, with_length

__all__ = ("ProcessPlacement",)

_log = logging.getLogger("camelid.engine")

STDIN, STDOUT, STDERR = 0, 1, 2
LAST_WORDS_SECONDS: Final = 2.0
"""A dead worker's pipes may be held open by a grandchild, and a worker that closed its pipes may hang in its exit;
neither is waited for longer than this."""

END_SECONDS: Final = 5.0
"""For a process that waited and is killed to be gone."""
_TURNS: Final = 4
"""Of the event loop, in which it hears of a process that died before they began."""

# -P: the folder the server was started in must not shadow modules of the worker.
_COMMAND: Final = (sys.executable, "-P", "-m", "camelid.worker")


class ProcessPlacement(Placement):
    """Starts each worker as `python -m camelid.worker` on this machine, and talks to it through its pipes."""

    def __init__(self, command: Sequence[str] = _COMMAND) -> None:
        """Take another `command` to run workers under a debugger or a profiler."""
        self._command = tuple(command)
        self._spare: tuple[WorkerPreparation, asyncio.Task[_WorkerProcess]] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """`process`."""
        return "process"

    def prepare(self, preparation: WorkerPreparation) -> None:
        """Start a process that imports and then waits, unless one does so already."""
        if self._spare is not None:
            prepared, starting = self._spare
            if prepared == preparation and not (starting.done() and _failed(starting)):
                return
            self._dismiss()
        starting = asyncio.create_task(self._launch(*preparation.modules), name="starting a spare worker")
        self._spare = (preparation, starting)

    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        """Start a child process, or take the one that waits; see `Placement.start`."""
        process = await self._take_spare(spec) or await self._launch()
        process.belong(spec.name, on_frame, on_end)
        return process

    async def close(self) -> None:
        """End the process that waits, and see that it is gone."""
        self._dismiss()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _take_spare(self, spec: WorkerSpec | ConversionSpec) -> "_WorkerProcess | None":
        """The process that waits, if it is one for this."""
        if self._spare is None or self._spare[0].plugin != spec.plugin or not isinstance(spec, WorkerSpec):
            return None
        spare, self._spare = self._spare, None
        try:
            process = await asyncio.shield(spare[1])
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._spare = spare
            raise
        except WorkerError as error:
            _log.warning("no spare worker could be started: %s", error.reason)
            return None
        return process if process.alive else None

    def _dismiss(self) -> None:
        """Do without the process that waits."""
        if self._spare is not None:
            ending = asyncio.create_task(_end(self._spare[1]), name="ending a spare worker")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            self._spare = None

    async def _launch(self, *arguments: str) -> "_WorkerProcess":
        """Start a process that belongs to nobody.

        Raises:
            WorkerError: it could not be started.
        """
        loop = asyncio.get_running_loop()
        starting = asyncio.ensure_future(
            loop.subprocess_exec(_WorkerProcess, *self._command, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE)
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


def _failed(starting: "asyncio.Task[_WorkerProcess]") -> bool:
    """Whether a process was not started, or has ended since."""
    return starting.cancelled() or starting.exception() is not None or not starting.result().alive


async def _end(starting: "asyncio.Task[_WorkerProcess]") -> None:
    """Kill a process as soon as it is there, and see that it is gone."""
    try:
        process = await starting
    except WorkerError as error:
        _log.debug("a spare worker could not be started: %s", error.reason)
        return
    process.kill()
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.gone.wait()
    except TimeoutError:
        _log.error("a spare worker survived being killed (pid %d)", process.pid)


class _WorkerProcess(asyncio.SubprocessProtocol):
    """One child process: cuts its output into frames and notices its end."""

    def __init__(self) -> None:
        self.pid = 0
        self.gone = asyncio.Event()
        self._on_frame: Callable[[bytes], None] = _ignore
        self._on_end: Callable[[str], None] = _ignore
        self._frames = FrameReader()
        self._errors = OutputTail("spare worker")
        self._open = {STDOUT, STDERR}
        self._exited = False
        self._ended = False
        self._nonsense = ""

    @property
    def alive(self) -> bool:
        """Whether it has not exited, nor closed its pipes."""
        return not self._exited and STDOUT in self._open

    def belong(self, name: str, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        """Belong to a model from now on; before, a worker has nothing to say."""
        self._errors.name = name
        self._on_frame = on_frame
        self._on_end = on_end
        if self._ended:
            on_end(self._last_words())

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
        self._transport.close()
        self.gone.set()
        self._on_end(self._last_words())

    def _last_words(self) -> str:
        """How it ended, and what it wrote to standard error at last."""
        status = exit_text(self._transport.get_returncode())
        return f"{self._nonsense}{status}\n{self._errors.text()}".rstrip()


def _ignore(_: object) -> None:
    """A process that belongs to nobody: nobody hears of it."""
