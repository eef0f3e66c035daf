"""Which worker waits, and that none does where none is wanted."""

import asyncio

import pytest

from camelid.contracts.placement import Placement, WorkerPreparation
from camelid.engine import spares
from camelid.engine.spares import Spares
from camelid.plugins.catalog import RegisteredBackend
from camelid.settings import Settings
from camelid.types.descriptor import BackendDescriptor


class Preparing(Placement):
    """Remembers what it was asked to prepare."""

    def __init__(self):
        self.prepared: list[WorkerPreparation] = []
        self.closed = 0

    @property
    def name(self):
        return "preparing"

    def prepare(self, preparation):
        self.prepared.append(preparation)

    async def start(self, spec, on_frame, on_end):
        raise NotImplementedError

    async def close(self):
        self.closed += 1


def backend(name, *, formats=("gguf",), priority=0, modules=("runtime",)):
    descriptor = BackendDescriptor(name, frozenset(formats), frozenset(), priority=priority, modules=modules)
    return RegisteredBackend(descriptor, f"plugin-{name}", f"dist-{name}")


@pytest.mark.parametrize(
    ("backends", "expected"),
    [
        ([backend("a"), backend("b", formats=("onnx",), priority=9)], "plugin-a"),
        ([backend("a"), backend("b", priority=9)], "plugin-b"),
        ([backend("a", modules=()), backend("b", formats=("onnx",))], "plugin-b"),
        ([backend("a", modules=())], None),
        ([], None),
    ],
)
async def test_the_first_is_for_the_most_probable_backend(backends, expected):
    placement = Preparing()
    Spares(placement, Settings()).begin(backends)
    assert [each.plugin for each in placement.prepared] == ([expected] if expected else [])


async def test_the_next_is_for_the_backend_that_was_used_and_comes_later(monkeypatch):
    monkeypatch.setattr(spares, "_REST_SECONDS", 0.05)
    placement = Preparing()
    waiting = Spares(placement, Settings())
    waiting.replace(backend("a"))
    waiting.replace(backend("b"))
    assert not placement.prepared
    async with asyncio.timeout(20):
        while not placement.prepared:  # noqa: ASYNC110 - the timer is the subject
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert placement.prepared == [WorkerPreparation("plugin-b", ("runtime",))]


async def test_none_is_prepared_after_the_end_or_where_none_is_wanted(monkeypatch):
    monkeypatch.setattr(spares, "_REST_SECONDS", 0.01)
    placement = Preparing()
    waiting = Spares(placement, Settings())
    waiting.replace(backend("a"))
    await waiting.close()
    unwanted = Spares(placement, Settings(spare_worker=False))
    unwanted.begin([backend("a")])
    unwanted.replace(backend("a"))
    edited = Spares(placement, Settings(reload_plugins=True))
    edited.begin([backend("a")])
    edited.replace(backend("a"))
    await asyncio.sleep(0.1)
    assert not placement.prepared
    assert placement.closed == 1
