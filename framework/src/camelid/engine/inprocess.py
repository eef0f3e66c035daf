"""Workers as threads of the server, for debugging: a debugger and a profiler see everything in one process."""

import asyncio
import contextlib
import queue
import threading
import traceback
from collections.abc import Callable
from functools import partial

from camelid.contracts.placement import Connection, ConversionSpec, Placement, WorkerSpec
from camelid.wire.framing import decode_to_worker, encode
from camelid.wire.messages import FromWorker, ToWorker

__all__ = ("InProcessPlacement",)


class InProcessPlacement(Placement):
    """Runs the worker's loop in a thread. A crash of the runtime is then a crash of the server."""

    @property
    def name(self) -> str:
        """`in-process`."""
        return "in-process"

    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        """Start a thread; see `Placement.start`."""
        worker = _WorkerThread(asyncio.get_running_loop(), spec.name, on_frame, on_end)
        worker.start()
        return worker


class _WorkerThread(threading.Thread):
    """One worker in a thread. Messages are encoded on their way, as they are between processes."""

    pid = 0

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str,
        on_frame: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        super().__init__(name=f"worker: {name}", daemon=True)
        self._loop = loop
        self._on_frame = on_frame
        self._on_end = on_end
        self._inbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._deaf = False

    def send(self, frame: bytes) -> None:
        self._inbox.put(decode_to_worker(frame))

    def kill(self) -> None:
        """A thread cannot be killed: from now on nothing of it is heard, and it ends before its next step or report."""
        self._deaf = True
        self._inbox.put(None)

    def run(self) -> None:
        try:
            # Imported here because the server imports no NumPy, which the worker needs.
            from camelid.worker.loop import WorkerLoop  # noqa: PLC0415

            reason = f"ended with status {WorkerLoop(self._inbox, self._emit).run()}"
        # The thread's death is reported as a process's would be, whatever it died of.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            reason = f"ended with {type(error).__name__}: {error}\n{traceback.format_exc()}"
        self._post(partial(self._on_end, reason))

    def _emit(self, message: FromWorker) -> None:
        self._post(partial(self._deliver, encode(message)))

    def _deliver(self, frame: bytes) -> None:
        if not self._deaf:
            self._on_frame(frame)

    def _post(self, call: Callable[[], None]) -> None:
        # The loop is closed if the server did not wait for the thread; nobody listens then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)
