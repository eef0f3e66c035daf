import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from camelid.contracts.placement import Connection, ConversionSpec, Placement, WorkerSpec
from camelid.engine.pool import LoadRequest, Pool
from camelid.errors import AcceleratorMemoryError, ModelLoadError, ModelMemoryError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.settings import Settings
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.descriptor import BackendDescriptor
from camelid.types.facts import ModelFacts
from camelid.types.generation import FinishReason
from camelid.types.memory import MemoryUse
from camelid.types.options import Options
from camelid.wire.faults import fault_from
from camelid.wire.framing import decode_to_worker, encode
from camelid.wire.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Delta,
    Detokenize,
    Embed,
    Embedded,
    Failed,
    FromWorker,
    Goodbye,
    Ready,
    Shutdown,
    Start,
    Step,
    Submit,
    Text,
    Tokenize,
    Tokens,
)


class ToyWorker:
    """A worker that lives on the event loop. The config of its artifact says how it misbehaves; a prompt is answered
    word by word, one step each, and the prompt `wait` is not answered at all.
    """

    def __init__(self, spec: WorkerSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None], pid: int):
        self.pid = pid
        self.spec = spec
        self.heard: list[object] = []
        self.dead = False
        self.pinged = asyncio.Event()
        self._on_frame = on_frame
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._words: dict[int, list[str]] = {}
        self._loop.call_soon(self._load)

    def _load(self):
        match self.spec.artifact.config.get("load"):
            case "refuse":
                self.say(Failed(0, fault_from(ModelLoadError("no such tensor", reason="why"))))
                self.end("exited with status 1")
            case "die":
                self.end("killed by SIGSEGV\nlast words")
            case "never":
                pass
            case "speak another protocol":
                self.become_ready(PROTOCOL_VERSION + 1)
            case {"memory": int(most)} if self.spec.options.context_length > most:
                self.say(Failed(0, fault_from(ModelMemoryError("too large"))))
                self.end("exited with status 1")
            case {"gpu_layers": int(most)} if not 0 <= self.spec.options.gpu_layers <= most:
                self.say(Failed(0, fault_from(AcceleratorMemoryError("too large"))))
                self.end("exited with status 1")
            case {"seconds": float(seconds)}:
                self._loop.call_later(seconds, self.become_ready)
            case _:
                self.become_ready()

    def become_ready(self, protocol: int = PROTOCOL_VERSION):
        context = self.spec.options.context_length
        facts = ModelFacts("toy", 256, 8192, context)
        self.say(Ready(protocol, facts, (MemoryUse("cpu", 10, 2), MemoryUse("cuda:0", 5)), "toy"))

    def say(self, message: FromWorker):
        self.say_bytes(encode(message))

    def say_bytes(self, frame: bytes):
        if not self.dead:
            self._on_frame(frame)

    def end(self, reason: str):
        if not self.dead:
            self.dead = True
            self._loop.call_soon(self._on_end, reason)

    def kill(self):
        seconds = self.spec.artifact.config.get("lingers")
        if isinstance(seconds, float):
            self._loop.call_later(seconds, self.end, "killed by SIGKILL")
        else:
            self.end("killed by SIGKILL")

    def send(self, frame: bytes):
        message = decode_to_worker(frame)
        if isinstance(message, Start):  # it has done that already
            return
        self.heard.append(message)
        match message:
            case Submit():
                self._words[message.id] = str(message.prompt).split()
                if message.prompt != "wait":
                    self._loop.call_soon(self._step, message.id)
            case Cancel():
                self._words.pop(message.id, None)
            case Embed():
                self.say(Embedded(message.id, bytes(4 * len(message.inputs)), 1, 7))
            case Tokenize():
                self.pinged.set()
                if self.spec.artifact.config.get("deaf") is not True:
                    self.say(Tokens(message.id, tuple(message.text.encode())))
            case Detokenize():
                self.say(Text(message.id, bytes(message.tokens).decode()))
            case Shutdown() if self.spec.artifact.config.get("stubborn") is not True:
                self.say(Goodbye())
                self.end("exited with status 0")

    def _step(self, request: int):
        words = self._words.get(request)
        if words is None:
            return
        word = words.pop(0)
        self.say(Step((Delta(request, word, 1, None if words else FinishReason.STOP),)))
        if words:
            self._loop.call_soon(self._step, request)


class ToyPlacement(Placement):
    """Starts toy workers and remembers them."""

    name = "toy"

    def __init__(self):
        self.workers: list[ToyWorker] = []
        self.started = asyncio.Event()

    async def start(
        self, spec: WorkerSpec | ConversionSpec, on_frame: Callable[[bytes], None], on_end: Callable[[str], None]
    ) -> Connection:
        assert isinstance(spec, WorkerSpec)
        worker = ToyWorker(spec, on_frame, on_end, pid=100 + len(self.workers))
        self.workers.append(worker)
        self.started.set()
        return worker

    @property
    def alive(self) -> list[str]:
        """Names of the models whose workers live."""
        return [worker.spec.artifact.name for worker in self.workers if not worker.dead]


@pytest.fixture
def toys() -> ToyPlacement:
    return ToyPlacement()


@pytest.fixture(scope="session")
def toy_placement() -> type[ToyPlacement]:
    """For tests that need many."""
    return ToyPlacement


@pytest.fixture
def prompt() -> Callable[..., Submit]:
    """A request with this prompt; the client fills in the id."""
    return lambda text, **changes: msgspec.structs.replace(Submit(0, text), **changes)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for something that must happen soon."""

    async def until(condition: Callable[[], bool]):
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - the condition is whatever a test looks at
                await asyncio.sleep(0.002)

    return until


class ToyPool(Pool):
    """A pool with shorthands for tests."""

    async def use(self, request: LoadRequest, keep_alive: float | None = None) -> int:
        """Lease a model and give it back. Returns its worker's process id."""
        async with self.lease(request, keep_alive) as lease:
            return lease.client.pid

    def begin(self, request: LoadRequest, keep_alive: float | None = None) -> asyncio.Task[int]:
        return asyncio.create_task(self.use(request, keep_alive))

    def names(self) -> list[str]:
        return sorted(row.name for row in self.running())


@pytest.fixture
def model() -> Callable[..., LoadRequest]:
    """Makes requests for toy models."""

    def model(name: str, *, size=0, trained=0, config=None, **options) -> LoadRequest:
        artifact = ModelArtifact(name, "toy", (ModelFile(f"/{name}", size=size),), config or {})
        return LoadRequest(name, f"digest of {name}", artifact, Options(**options), trained)

    return model


@pytest.fixture
def toy_catalog(toys) -> Catalog:
    def backend(name: str, priority: int) -> RegisteredBackend:
        descriptor = BackendDescriptor(name, frozenset({"toy"}), frozenset(), priority=priority)
        return RegisteredBackend(descriptor, f"plugin-{name}", "dist")

    backends = {"toy": backend("toy", 1), "other": backend("other", 0)}
    return Catalog(backends, (), {"toy": toys}, tokenizers=("letters",))


@pytest.fixture
def open_pool(toys, toy_catalog):
    """Opens a pool of toy workers, and afterwards sees that nothing of it is left."""

    @asynccontextmanager
    async def open_pool(*, available=lambda: 1 << 40, quarantine=None, **settings) -> AsyncIterator[ToyPool]:
        pool = ToyPool(toy_catalog, Settings(placement="toy", **settings), available=available, quarantine=quarantine)
        try:
            yield pool
        finally:
            await pool.close()
            assert toys.alive == []
            assert len(asyncio.all_tasks()) == 1

    return open_pool


@pytest.fixture
def settle() -> Callable[[], Awaitable[None]]:
    """Lets everything happen that needs no time but a thread's answer."""

    async def settle():
        for _ in range(20):
            await asyncio.sleep(0.001)

    return settle
