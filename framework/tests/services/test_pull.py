import asyncio
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, aclosing
from hashlib import sha256
from io import BytesIO, RawIOBase
from threading import Event, Semaphore
from typing import BinaryIO, cast

import pytest

from camelid.contracts.registry import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.errors import RegistryError
from camelid.services.progress import Progress
from camelid.services.pull import Pull
from camelid.services.registries import Registries
from camelid.store.store import Store
from camelid.store.transfer import Transfers
from camelid.store.transfer_policy import TransferPolicy
from camelid.types.names import ModelName

MODEL = "application/vnd.ollama.image.model"
LICENSE = "application/vnd.ollama.image.license"
ECHO = b'{"camelid_backend": "echo"}\n'
DIGEST = f"sha256:{sha256(ECHO).hexdigest()}"
PULLING = f"pulling {DIGEST[7:19]}"
NAME = ModelName.parse("echo:1b")
CONFIG = {"model_format": "echo"}


class Shelf(Registry):
    """Models in memory, sent as slowly as `gate` allows: one permit for each chunk."""

    def __init__(self, name: str, *models: str, broken: Exception | None = None, content: bytes = ECHO) -> None:
        self._name = name
        self._models = models
        self._broken = broken
        self.content = content
        self.media_type = MODEL
        self.license = b"free"
        self.asked: list[str] = []
        self.opened = 0
        self.begun = Event()
        self.closed = Event()
        self.gate = Semaphore(1_000_000)

    @property
    def name(self) -> str:
        return self._name

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        self.asked.append(name.short)
        if self._broken is not None:
            raise self._broken
        if name.short not in self._models:
            return None
        model = LayerSource(self.media_type, BlobSource(DIGEST, len(ECHO), url="here"))
        text = LayerSource(LICENSE, BlobSource("", 4, content=self.license))
        return ResolvedModel((model, text), CONFIG)

    def open(self, blob: BlobSource, offset: int) -> AbstractContextManager[BinaryIO]:
        assert blob.url == "here"
        self.opened += 1
        self.begun.set()
        return cast("BinaryIO", _Slow(self, offset))


class _Slow(RawIOBase):
    """Three bytes at a time."""

    def __init__(self, shelf: Shelf, offset: int) -> None:
        self._shelf = shelf
        self._bytes = BytesIO(shelf.content[offset:])

    def read(self, size: int = -1) -> bytes:
        assert self._shelf.gate.acquire(timeout=30)
        return self._bytes.read(min(size, 3))

    def close(self) -> None:
        self._shelf.closed.set()
        super().close()


def puller(store: Store, registries: Sequence[Registry]) -> Pull:
    return Pull(store, Registries(registries), Transfers(store.blobs, TransferPolicy(tries=2, pause=0.001)))


async def lines(pull: Pull, name: ModelName = NAME, **options: bool) -> list[Progress]:
    return [line async for line in pull(name, **options)]


async def test_a_pull_tells_what_it_does_and_stores_the_model(store: Store):
    told = await lines(puller(store, [Shelf("shelf", "echo:1b")]))
    statuses = [line.status for line in told]
    assert statuses[0] == "pulling manifest"
    assert statuses[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    assert Progress(PULLING, DIGEST, len(ECHO), len(ECHO)) in told
    assert all(line.digest.startswith("sha256:") for line in told if line.total)
    model = store.find(NAME)
    assert model is not None
    assert (store.blobs.read(DIGEST, 99), model.licenses) == (ECHO, ("free",))


async def test_what_is_here_already_is_not_fetched_again(store: Store):
    shelf = Shelf("shelf", "echo:1b")
    await lines(puller(store, [shelf]))
    told = await lines(puller(store, [shelf]))
    assert shelf.opened == 1
    assert [line for line in told if line.digest == DIGEST] == [Progress(PULLING, DIGEST, len(ECHO), len(ECHO))]


async def test_registries_are_asked_in_order_until_one_knows(store: Store):
    first, second, third = Shelf("first"), Shelf("second", "echo:1b"), Shelf("third", "echo:1b")
    await lines(puller(store, [first, second, third]))
    assert (first.asked, second.opened, third.asked) == (["echo:1b"], 1, [])


@pytest.mark.parametrize(
    ("registries", "asked"), [([Shelf("a"), Shelf("b", "other:1b")], "a, b"), ([], "none is installed")]
)
async def test_an_unknown_name_says_who_was_asked(store: Store, registries: list[Registry], asked: str):
    told = puller(store, registries)(NAME)
    assert await anext(told) == Progress("pulling manifest")
    with pytest.raises(RegistryError, match="pull model manifest: file does not exist") as refused:
        await anext(told)
    assert (refused.value.status, asked in refused.value.reason) == (500, True)


async def test_plain_http_must_be_allowed(store: Store):
    shelf, name = Shelf("shelf", "localhost:5000/a/b:c"), ModelName.parse("http://localhost:5000/a/b:c")
    with pytest.raises(RegistryError, match="insecure protocol http"):
        await lines(puller(store, [shelf]), name)
    assert shelf.asked == []
    assert (await lines(puller(store, [shelf]), name, insecure=True))[-1].status == "success"


async def test_a_failing_registry_ends_the_pull(store: Store):
    with pytest.raises(RegistryError, match="down"):
        await lines(puller(store, [Shelf("a", broken=RegistryError("down")), Shelf("b", "echo:1b")]))


async def test_a_bug_in_a_registry_names_it(store: Store):
    with pytest.raises(RegistryError, match="the registry a failed") as failed:
        await lines(puller(store, [Shelf("a", broken=ZeroDivisionError("oops"))]))
    assert "oops" in failed.value.reason


@pytest.mark.parametrize("content", [b"x" * len(ECHO), ECHO + b"more", b""])
async def test_wrong_bytes_are_not_stored(store: Store, content: bytes):
    with pytest.raises(RegistryError):
        await lines(puller(store, [Shelf("shelf", "echo:1b", content=content)]))
    assert store.find(NAME) is None
    assert not store.blobs.has(DIGEST)


async def test_a_failed_pull_can_be_repeated(store: Store):
    shelf = Shelf("shelf", "echo:1b", content=b"")
    pull = puller(store, [shelf])
    with pytest.raises(RegistryError):
        await lines(pull)
    shelf.content = ECHO
    assert (await lines(pull))[-1].status == "success"


async def test_pulls_of_one_name_share_the_work(store: Store):
    shelf = Shelf("shelf", "echo:1b", "ECHO:1b")
    shelf.gate = Semaphore(0)
    pull = puller(store, [shelf])
    both = asyncio.gather(lines(pull), lines(pull, ModelName.parse("ECHO:1b")))
    shelf.gate.release(1_000)
    first, second = await both
    assert (shelf.opened, len(shelf.asked)) == (1, 1)
    assert first[-1] == second[-1] == Progress("success")


async def test_who_joins_late_hears_what_happened(store: Store):
    shelf = Shelf("shelf", "echo:1b")
    shelf.gate = Semaphore(1)
    pull = puller(store, [shelf])
    async with aclosing(pull(NAME)) as early:
        assert [(await anext(early)).status, (await anext(early)).status] == ["pulling manifest", PULLING]
        late = asyncio.create_task(lines(pull))
        await asyncio.sleep(0)
        shelf.gate.release(1_000)
        assert [line.status async for line in early][-1] == "success"
    heard = [line.status for line in await late]
    assert heard[:2] == ["pulling manifest", PULLING]
    assert heard[-1] == "success"
    assert shelf.opened == 1


class Silent(Shelf):
    """On another machine, and does not answer."""

    @property
    def remote(self) -> bool:
        return True

    def __init__(self) -> None:
        super().__init__("silent", "echo:1b")
        self.release = Event()

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        self.release.wait()
        return None


async def test_who_leaves_before_a_registry_answers_leaves_no_thread_that_waits(store: Store):
    silent, before = Silent(), set(threading.enumerate())
    async with aclosing(puller(store, [silent])(NAME)) as told:
        assert (await anext(told)).status == "pulling manifest"
        (work,) = (thread for thread in set(threading.enumerate()) - before if thread.name == "watched")
    await asyncio.to_thread(work.join, 30)
    assert not work.is_alive()
    silent.release.set()


async def test_when_the_last_client_leaves_the_work_ends(store: Store, until):
    shelf = Shelf("shelf", "echo:1b")
    shelf.gate = Semaphore(1)
    pull = puller(store, [shelf])
    async with aclosing(pull(NAME)) as first, aclosing(pull(NAME)) as second:
        await anext(first)
        await anext(second)
        assert await asyncio.to_thread(shelf.begun.wait, 30)
        await until(lambda: bool(pull._transfers._jobs))
        (job,) = pull._transfers._jobs.values()
        await first.aclose()
        assert not job.given_up
    await until(job.ended.is_set)
    shelf.gate.release(1_000)
    assert await asyncio.to_thread(shelf.closed.wait, 30)
    assert store.find(NAME) is None
    assert (await lines(pull))[-1].status == "success"
    assert shelf.opened == 2


async def test_a_slow_client_gets_few_lines(store: Store):
    shelf = Shelf("shelf", "echo:1b")
    pull = puller(store, [shelf])
    async with aclosing(pull(NAME)) as slow:
        await anext(slow)
        assert (await lines(pull))[-1].status == "success"
        rest = [line async for line in slow]
    assert [line.status for line in rest].count(PULLING) == 1
    assert rest[-1] == Progress("success")


async def test_layers_that_nobody_uses_any_more_are_removed(store: Store):
    shelf = Shelf("shelf", "echo:1b")
    await lines(puller(store, [shelf]))
    newer = Shelf("newer", "echo:1b")
    newer.license = b"free"[::-1]
    told = await lines(puller(store, [newer]))
    assert [line.status for line in told[-3:]] == ["writing manifest", "removing unused layers", "success"]
    model = store.find(NAME)
    assert model is not None
    assert model.licenses == ("eerf",)
    assert {path.name for path in store.blobs.folder.glob("sha256-*")} == {
        digest.replace(":", "-") for digest in model.manifest.digests
    }


async def test_models_for_mlx_are_refused(store: Store):
    shelf = Shelf("shelf", "echo:1b")
    shelf.media_type = "application/vnd.ollama.image.tensor"
    with pytest.raises(RegistryError, match="this model requires MLX support"):
        await lines(puller(store, [shelf]))
