"""Ways to talk to a worker: as a real child process, and as a loop in the test's own thread."""

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.json import JsonObject
from camelid.types.loading import LoadOptions
from camelid.types.options import SamplingOptions
from camelid.wire.framing import FrameReader, decode_from_worker, encode, with_length
from camelid.wire.messages import (
    PROTOCOL_VERSION,
    Delta,
    Embedded,
    Failed,
    FromWorker,
    Goodbye,
    Ranked,
    Ready,
    Shutdown,
    Start,
    Step,
    Submit,
    Text,
    Tokens,
    ToWorker,
)
from camelid.worker.loop import WorkerLoop

PLUGINS = Path(__file__).parent / "plugins"


class Worker:
    """`python -m camelid.worker`, with a plugin that makes trouble on its path."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "camelid.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": str(PLUGINS)},
        )
        self._messages = self._read()

    def _read(self) -> Iterator[FromWorker]:
        assert self.process.stdout
        frames = FrameReader()
        while data := os.read(self.process.stdout.fileno(), 1 << 16):
            yield from map(decode_from_worker, frames.feed(data))

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)

    def send(self, *messages: ToWorker) -> None:
        for message in messages:
            self.write(with_length(encode(message)))

    def next(self) -> FromWorker:
        return next(self._messages)

    def until_end(self, request: int) -> list[Delta]:
        """The deltas of a request, to its last one."""
        deltas: list[Delta] = []
        for message in self._messages:
            if isinstance(message, Step):
                deltas += [delta for delta in message.deltas if delta.id == request]
            if deltas and (deltas[-1].finish or deltas[-1].fault):
                return deltas
        raise AssertionError(f"the worker ended: {self.end()}")

    def end(self) -> tuple[int, list[FromWorker], str]:
        """Wait for the process to end: its exit status, its last messages and what it wrote to standard error."""
        rest = list(self._messages)
        assert self.process.stderr
        errors = self.process.stderr.read().decode()
        return self.process.wait(), rest, errors


@pytest.fixture
def worker() -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def begin() -> Worker:
        workers.append(Worker())
        return workers[-1]

    yield begin
    for each in workers:
        each.process.kill()
        with each.process:
            pass


class Starts:
    """`Start` messages."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "model"
        self._file.write_bytes(b'{"camelid_backend": "echo"}')

    def echo(self, **changes: int | JsonObject) -> Start:
        artifact = ModelArtifact("echo", "echo", (ModelFile(str(self._file)),))
        options = LoadOptions(context_length=200, parallel=4, batch_tokens=64)
        return Start(PROTOCOL_VERSION, "echo", "echo", artifact, msgspec.structs.replace(options, **changes))

    def trouble(self, trouble: str = "") -> Start:
        artifact = ModelArtifact("trouble", "trouble", (ModelFile(str(self._file)),))
        options = LoadOptions(backend={"trouble": trouble})
        return Start(PROTOCOL_VERSION, "troublemaker", "troublemaker", artifact, options)


@pytest.fixture
def starts(tmp_path: Path) -> Starts:
    return Starts(tmp_path)


class Conversation:
    """Runs a `WorkerLoop` in this thread; what the worker says decides what it is told next, so nothing is left to
    chance. When every request is answered, it is shut down."""

    def __init__(self, react: Callable[[FromWorker], Iterable[ToWorker]] = lambda message: ()) -> None:
        self.messages: list[FromWorker] = []
        self._react = react
        self._inbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._open: set[int] = set()

    def run(self, *messages: ToWorker) -> int:
        for message in messages:
            self._put(message)
        return WorkerLoop(self._inbox, self._emit, frame_seconds=0).run()

    def _put(self, message: ToWorker) -> None:
        self._inbox.put(message)
        request = getattr(message, "id", 0)
        if type(message).__name__ == "Cancel":
            self._open.discard(request)
        elif request:
            self._open.add(request)

    def _emit(self, message: FromWorker) -> None:
        message = decode_from_worker(encode(message))
        self.messages.append(message)
        if isinstance(message, Step):
            self._open -= {delta.id for delta in message.deltas if delta.finish or delta.fault}
        elif not isinstance(message, (Ready, Goodbye)):
            self._open.discard(message.id)
        for answer in self._react(message):
            self._put(answer)
        if not self._open and not isinstance(message, Goodbye):
            self._inbox.put(Shutdown())

    @property
    def steps(self) -> list[Step]:
        return [message for message in self.messages if isinstance(message, Step)]

    def deltas(self, request: int) -> list[Delta]:
        return [delta for step in self.steps for delta in step.deltas if delta.id == request]

    def text(self, request: int) -> str:
        return "".join(delta.text for delta in self.deltas(request))

    def answer(self, request: int) -> Embedded | Failed | Ranked | Text | Tokens:
        return next(
            message
            for message in self.messages
            if isinstance(message, (Embedded, Failed, Ranked, Text, Tokens)) and message.id == request
        )


@pytest.fixture
def conversation() -> type[Conversation]:
    return Conversation


@pytest.fixture
def ask() -> Callable[..., Submit]:
    def submit(number: int, prompt: str | tuple[int, ...], **options: object) -> Submit:
        fields = {key: options.pop(key) for key in tuple(options) if key in Submit.__struct_fields__}
        sampling = SamplingOptions(**{"temperature": 0, **options})  # type: ignore[arg-type]
        return Submit(number, prompt, sampling, **fields)  # type: ignore[arg-type]

    return submit


@pytest.fixture
def troublemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin that makes trouble can be found in this process, too."""
    monkeypatch.syspath_prepend(str(PLUGINS))
