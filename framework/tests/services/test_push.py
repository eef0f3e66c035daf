import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from threading import Event

import pytest

from camelid.contracts.registry import BlobToSend, Registry, ResolvedModel, TransientRegistryError
from camelid.errors import IncompleteModelError, RegistryError
from camelid.services.progress import Progress
from camelid.services.push import Push
from camelid.services.registries import Registries
from camelid.store.transfer import Transfers
from camelid.store.transfer_policy import TransferPolicy
from camelid.types.names import ModelName

NAME = ModelName.parse("echo")


class Shelf(Registry):
    """Takes models; `faults` are raised one after the other, before something is taken."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        return "shelf"

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        return None

    def can_push(self, name: ModelName) -> bool:
        return True

    def send(self, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        on_progress(blob.size // 2)
        if self.faults:
            raise self.faults.pop(0)
        content = blob.path.read_bytes()
        assert len(content) == blob.size
        self.blobs[blob.digest] = content
        on_progress(blob.size)

    def publish(self, name: ModelName, manifest: bytes) -> None:
        self.manifests[name.qualified] = manifest


@pytest.fixture
def push(store) -> Callable[..., Push]:
    def make(registry: Registry, **rules: float) -> Push:
        policy = TransferPolicy(**{"tries": 3, "pause": 0.001, **rules})
        return Push(store, Registries([registry]), Transfers(store.blobs, policy))

    return make


async def lines(push: Push, name: ModelName = NAME, **options: bool) -> list[Progress]:
    return [line async for line in push(name, **options)]


async def test_layers_go_first_then_the_config_and_the_manifest(store, add_model, push):
    add_model("echo")
    shelf = Shelf()
    told = await lines(push(shelf))
    content, manifest = store.manifest(NAME)
    order = [layer.digest for layer in (*manifest.layers, manifest.config)]
    assert shelf.manifests == {"registry.ollama.ai/library/echo:latest": content}
    assert list(shelf.blobs) == order
    assert all(shelf.blobs[digest] == store.blobs.path(digest).read_bytes() for digest in order)
    # Of each layer there may be several lines; the last says that all of it is sent.
    statuses = [line.status for line in told]
    assert list(dict.fromkeys(statuses)) == [
        "retrieving manifest",
        *(f"pushing {digest[7:19]}" for digest in order),
        "pushing manifest",
        "success",
    ]
    last = {line.digest: line for line in told if line.digest}
    assert [(digest, line.completed == line.total > 0) for digest, line in last.items()] == [(d, True) for d in order]


async def test_a_model_that_is_not_here_is_said_to_be_so(push):
    told = push(Shelf())(NAME)
    heard = [(await anext(told)).status, (await anext(told)).status]
    assert heard == ["retrieving manifest", "couldn't retrieve manifest"]
    with pytest.raises(RegistryError, match="model 'echo:latest' does not exist"):
        await anext(told)


async def test_a_damaged_model_is_not_sent(store, add_model, push):
    add_model("echo")
    found = store.manifest(NAME)
    store.blobs.path(found[1].layers[0].digest).unlink()
    shelf = Shelf()
    with pytest.raises(IncompleteModelError):
        await lines(push(shelf))
    assert shelf.blobs == {}


@pytest.mark.parametrize("fault", [ConnectionResetError("gone"), TransientRegistryError("503: later")])
async def test_what_passes_is_tried_again(add_model, push, fault):
    add_model("echo")
    assert (await lines(push(Shelf(fault, fault))))[-1].status == "success"
    with pytest.raises(RegistryError, match="max retries exceeded: "):
        await lines(push(Shelf(fault, fault, fault)))


@pytest.mark.parametrize(
    ("fault", "words"),
    [(RegistryError("403: no"), "^403: no$"), (ZeroDivisionError("oops"), "the registry shelf failed")],
)
async def test_what_stays_ends_the_push(add_model, push, fault, words):
    add_model("echo")
    shelf = Shelf(fault)
    with pytest.raises(RegistryError, match=words):
        await lines(push(shelf))
    assert shelf.manifests == {}


async def test_plain_http_must_be_allowed(store, add_model, push):
    name = ModelName.parse("http://localhost:5000/a/b:c")
    add_model("localhost:5000/a/b:c")
    with pytest.raises(RegistryError, match="insecure protocol http"):
        await lines(push(Shelf()), name)
    shelf = Shelf()
    assert (await lines(push(shelf), name, insecure=True))[-1].status == "success"
    assert list(shelf.manifests) == ["localhost:5000/a/b:c"]


class Resuming(Shelf):
    """Had most of each blob of an earlier try."""

    def send(self, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        on_progress(1 << 40)
        super().send(name, blob, on_progress)


async def test_the_speed_is_limited_and_what_was_sent_before_costs_nothing(store, add_model):
    add_model("echo")
    transfers, booked = Transfers(store.blobs, TransferPolicy(bandwidth=1 << 30)), []
    delay = transfers.limits.delay
    transfers.limits.delay = lambda count: booked.append(count) or delay(count)
    _content, manifest = store.manifest(NAME)
    sizes = [store.blobs.size(layer.digest) for layer in (*manifest.layers, manifest.config)]
    assert (await lines(Push(store, Registries([Shelf()]), transfers)))[-1].status == "success"
    assert sum(booked) == sum(sizes)
    booked.clear()
    assert (await lines(Push(store, Registries([Resuming()]), transfers)))[-1].status == "success"
    assert sum(booked) < len(sizes) * (2 << 20)


class Threads:
    """Those that a test starts, of pushes and of the calls of registries."""

    def __init__(self) -> None:
        self._before = set(threading.enumerate())

    def running(self) -> list[threading.Thread]:
        return [
            thread for thread in set(threading.enumerate()) - self._before if thread.name in {"registry", "watched"}
        ]


async def ended(threads: Threads) -> None:
    """Wait for them all; one that does not end is a failure."""
    for thread in threads.running():
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()


class Silent(Shelf):
    """Takes nothing and says nothing, until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = Event()
        self.asked = 0

    def send(self, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        self.asked += 1
        self.released.wait()
        on_progress(blob.size)
        self.blobs[blob.digest] = b""


async def test_a_registry_that_says_nothing_is_given_up_and_its_turn_is_free_again(store, add_model, push):
    add_model("echo")
    silent, threads = Silent(), Threads()
    pushing = push(silent, all_streams=1, patience=0.05)
    for asked in (3, 6):
        with pytest.raises(
            RegistryError, match=r"^max retries exceeded: nothing was heard of the registry for 0\.05 s$"
        ):
            await lines(pushing)
        assert silent.asked == asked
    silent.released.set()
    await ended(threads)
    assert silent.blobs == {}


async def test_who_waits_for_a_turn_is_told_when_it_takes_too_long(store, add_model):
    add_model("echo")
    transfers = Transfers(store.blobs, TransferPolicy(all_streams=1, patience=0.05))
    pushing = Push(store, Registries([Shelf()]), transfers)
    transfers.limits.slots.take(pytest.fail)
    with pytest.raises(RegistryError, match="busy with other transfers: try again later"):
        await lines(pushing)
    transfers.limits.slots.give_back()
    patient = Transfers(store.blobs, TransferPolicy(all_streams=1))
    patient.limits = transfers.limits
    assert (await lines(Push(store, Registries([Shelf()]), patient)))[-1].status == "success"


async def test_who_leaves_while_waiting_for_a_turn_takes_none(store, add_model):
    add_model("echo")
    transfers, shelf, threads = Transfers(store.blobs, TransferPolicy(all_streams=1)), Shelf(), Threads()
    transfers.limits.slots.take(pytest.fail)
    async with aclosing(Push(store, Registries([shelf]), transfers)(NAME)) as told:
        async for line in told:
            if line.digest:
                break
    await ended(threads)
    transfers.limits.slots.give_back()
    assert shelf.blobs == {}
