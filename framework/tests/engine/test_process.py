"""The default placement with real child processes; small scripts play the worker."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec
import psutil
import pytest
import uvloop

from camelid.contracts.placement import WorkerPreparation, WorkerSpec
from camelid.engine import process
from camelid.engine.process import ProcessPlacement
from camelid.errors import ProtocolError, WorkerError
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.loading import LoadOptions
from camelid.wire import framing

SPEC = WorkerSpec("toy", "plugin", ModelArtifact("toy", "toy", (ModelFile("/toy"),)), LoadOptions(parallel=3))
ECHO = "import os\nwhile data := os.read(0, 1 << 20): os.write(1, data)"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    def run(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(coroutine)

    return run


class Child:
    """A started script, its frames and its end."""

    def __init__(self):
        self.frames: list[bytes] = []
        self.came = asyncio.Event()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def of(cls, script: str) -> "Child":
        child = cls()
        child.connection = await ProcessPlacement([sys.executable, "-c", script]).start(
            SPEC, child.on_frame, child.ended.set_result
        )
        return child

    def on_frame(self, frame: bytes):
        assert not self.ended.done()
        self.frames.append(frame)
        self.came.set()

    async def end(self) -> str:
        async with asyncio.timeout(20):
            return await self.ended


def test_frames_go_there_and_back(run):
    async def main():
        child = await Child.of(ECHO)
        assert child.connection.pid > 0
        large = bytes(range(256)) * 20_000
        child.connection.send(large)
        child.connection.send(b"")
        async with asyncio.timeout(20):
            while len(child.frames) < 2:
                child.came.clear()
                await child.came.wait()
        assert child.frames == [large, b""]
        child.connection.kill()
        assert (await child.end()).startswith("killed by SIGKILL")
        child.connection.kill()
        child.connection.send(b"dropped")

    run(main())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "import sys; print('first\\nlast words', file=sys.stderr); sys.exit(3)",
            "exited with status 3\nfirst\nlast words",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        (
            "import os; os.write(1, b'\\xff' * 9); os.read(0, 9); os.read(0, 1 << 20); os.read(0, 9)",
            "it sent a frame of",
        ),
        (
            "import subprocess, sys; subprocess.Popen(['sleep', '4']); print('left a child', file=sys.stderr)",
            "exited with status 0\nleft a child",
        ),
    ],
    ids=["exit", "signal", "nonsense", "grandchild"],
)
def test_every_end_is_told_once_and_in_words(run, script, reason, monkeypatch):
    monkeypatch.setattr(process, "LAST_WORDS_SECONDS", 0.3)

    async def main():
        child = await Child.of(script)
        assert (await child.end()).startswith(reason)
        await asyncio.sleep(0.4)

    run(main())


def test_a_worker_that_closed_its_pipe_and_hangs_is_ended(monkeypatch):
    """On asyncio only: uvloop leaves the child a second copy of the pipe, so nobody can notice there. The client's
    watch, which asks for signs of life, ends such a worker on any loop.
    """
    monkeypatch.setattr(process, "LAST_WORDS_SECONDS", 0.3)

    async def main():
        child = await Child.of("import os, time; os.close(1); time.sleep(60)")
        assert (await child.end()).startswith("killed by SIGKILL")

    asyncio.run(main())


def test_frames_that_came_before_the_end_are_all_heard(run):
    async def main():
        child = await Child.of("import os\nfor _ in range(1000): os.write(1, b'\\x02\\0\\0\\0ab')")
        assert await child.end() == "exited with status 0"
        assert child.frames == [b"ab"] * 1000

    run(main())


def test_a_command_that_does_not_exist_is_a_worker_error(run):
    async def main():
        with pytest.raises(WorkerError, match="could not be started"):
            await ProcessPlacement(["/no/such/python"]).start(SPEC, print, print)

    run(main())


def test_a_frame_that_is_too_long_is_refused_before_it_is_sent(run, monkeypatch):
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 1000)

    async def main():
        child = await Child.of(ECHO)
        with pytest.raises(ProtocolError):
            child.connection.send(bytes(1001))
        child.connection.kill()
        await child.end()

    run(main())


@pytest.mark.parametrize("ticks", [0, 1, 2])
def test_a_cancelled_start_leaves_no_process_behind(run, ticks):
    async def main():
        task = asyncio.create_task(Child.of(ECHO))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert psutil.Process().children() == []


NAMED = """
import os, sys
sys.stderr.write("waits with " + " ".join(sys.argv[1:]) + "\\n")
while data := os.read(0, 1 << 20):
    os.write(1, data)
"""
PREPARATION = WorkerPreparation("plugin", ("one", "two"))


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - processes have no events
            await asyncio.sleep(0.01)


def test_the_worker_that_waits_is_taken_and_imports_what_it_was_told(run):
    async def main():
        placement, before = ProcessPlacement([sys.executable, "-c", NAMED]), children()
        placement.prepare(PREPARATION)
        placement.prepare(PREPARATION)
        await until(lambda: children() - before)
        (spare,) = children() - before
        child = Child()
        child.connection = await placement.start(SPEC, child.on_frame, child.ended.set_result)
        assert child.connection.pid == spare
        child.connection.send(b"frame")
        await child.came.wait()
        assert child.frames == [b"frame"]
        other = Child()
        other.connection = await placement.start(SPEC, other.on_frame, other.ended.set_result)
        assert other.connection.pid != spare
        child.connection.kill()
        other.connection.kill()
        assert "waits with one two" in await child.end()
        assert "one two" not in await other.end()

    run(main())


@pytest.mark.parametrize("preparation", [WorkerPreparation("other", ()), None])
def test_a_worker_for_another_plugin_waits_on_until_the_placement_is_closed(run, preparation):
    async def main():
        placement, before = ProcessPlacement([sys.executable, "-c", NAMED]), children()
        placement.prepare(PREPARATION)
        if preparation is not None:
            placement.prepare(preparation)  # one waits, not two
            spec = SPEC
        else:
            spec = msgspec.structs.replace(SPEC, plugin="other")
        child = Child()
        child.connection = await placement.start(spec, child.on_frame, child.ended.set_result)
        child.connection.kill()
        await child.end()
        await until(lambda: len(children() - before) == 1)
        await placement.close()
        await until(lambda: not children() - before)

    run(main())


@pytest.mark.parametrize("command", [[sys.executable, "-c", "raise SystemExit(3)"], ["/no/such/python"]])
def test_a_worker_that_could_not_wait_is_done_without(run, command, tmp_path):
    async def main():
        placement = ProcessPlacement(command)
        placement.prepare(PREPARATION)
        await until(placement._spare[1].done)
        if placement._spare[1].exception() is None:
            await until(lambda: not placement._spare[1].result().alive)
        placement._command = (sys.executable, "-c", ECHO)
        child = Child()
        child.connection = await placement.start(SPEC, child.on_frame, child.ended.set_result)
        child.connection.send(b"frame")
        await child.came.wait()
        child.connection.kill()
        await child.end()

    run(main())
