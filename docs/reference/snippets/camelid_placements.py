"""Workers under `nice`, so that the machine's other programs come first: `CAMELID_PLACEMENT=nice camelid serve`.

A placement starts `python -m camelid.worker` wherever it likes, and carries frames: four bytes of little-endian length,
then as many bytes.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from camelid import Placement, hookimpl
from camelid.contracts.placement import Connection, ConversionSpec, WorkerSpec
from camelid.errors import WorkerError

CAMELID_API = 1
LONGEST_FRAME = 256 * 1024 * 1024


class NicePlacement(Placement):
    @property
    def name(self) -> str:
        return "nice"

    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        command = ("nice", "-n", "10", sys.executable, "-P", "-m", "camelid.worker")
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        except OSError as error:
            raise WorkerError("the model's worker could not be started", reason=str(error)) from error
        return NiceWorker(process, on_frame, on_end)


class NiceWorker:
    """A `Connection`: what it writes to standard error is in the server's log."""

    def __init__(self, process: Process, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._process = process
        self._reading = asyncio.create_task(self._read(on_frame, on_end), name="reading a nice worker")

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, frame: bytes) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(len(frame).to_bytes(4, "little") + frame)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _read(self, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        output = self._process.stdout
        assert output is not None  # it was asked for with PIPE
        with contextlib.suppress(asyncio.IncompleteReadError):
            while (length := int.from_bytes(await output.readexactly(4), "little")) <= LONGEST_FRAME:
                on_frame(await output.readexactly(length))
            self.kill()  # it writes nonsense
        on_end(f"it ended with status {await self._process.wait()}")


@hookimpl
def camelid_placements(register: Callable[[Placement], None]) -> None:
    """The setting `placement` names the one to use."""
    register(NicePlacement())
