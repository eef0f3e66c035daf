"""Conversions in real workers, as processes and as threads."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from camelid.engine.conversion import Conversions
from camelid.engine.inprocess import InProcessPlacement
from camelid.engine.process import ProcessPlacement
from camelid.errors import ServerBusyError, UnsupportedCapabilityError, WorkerDiedError, WorkerTimeoutError
from camelid.plugins.catalog import RegisteredConverter
from camelid.types.conversion import ConversionTask, ConverterDescriptor


@pytest.fixture
def converter(toy_converters) -> RegisteredConverter:
    return RegisteredConverter(
        ConverterDescriptor("toy-import", "safetensors", "gguf"), toy_converters, "toy-converters"
    )


@pytest.fixture
def task(tmp_path):
    """Makes tasks; the source's config may say how the converter shall misbehave."""

    def task(name="model", **config) -> ConversionTask:
        source = tmp_path / name
        source.mkdir()
        (source / "config.json").write_text(json.dumps(config))
        return ConversionTask("toy-import", str(source), str(tmp_path / f"{name}.gguf"))

    return task


@pytest.fixture(params=[ProcessPlacement, InProcessPlacement], ids=["process", "in-process"])
async def conversions(request):
    conversions = Conversions(request.param())
    yield conversions
    await conversions.close()
    assert psutil.Process().children() == []


async def told(conversions, converter, task) -> list[tuple[int, int]]:
    return [done async for done in conversions.run(converter, task)]


def beginning(path: str) -> bytes:
    return Path(path).read_bytes()[:4]


async def test_a_conversion_tells_how_far_it_is_and_leaves_its_target(conversions, converter, task):
    wanted = task()
    assert (await told(conversions, converter, wanted))[0] == (1, 4)
    assert beginning(wanted.target) == b"GGUF"


async def test_what_the_converter_says_is_raised(conversions, converter, task):
    with pytest.raises(UnsupportedCapabilityError, match='unsupported architecture "Toy"'):
        await told(conversions, converter, task(trouble="architecture"))


async def test_nobody_is_left_when_the_iterator_is_closed(conversions, converter, task):
    async with aclosing(conversions.run(converter, task(trouble="slow"))) as news:
        assert await anext(news) in [(1, 4), (2, 4)]
    assert psutil.Process().children() == []
    assert len(await told(conversions, converter, task("other"))) > 0


async def test_conversions_wait_for_one_another_and_waiting_can_be_given_up(conversions, converter, task, tmp_path):
    async with aclosing(conversions.run(converter, task(trouble="slow"))) as news:
        await anext(news)
        second = asyncio.create_task(told(conversions, converter, task("second")))
        third = asyncio.create_task(told(conversions, converter, task("third")))
        await anext(news)
        second.cancel()
        await asyncio.wait({second})
        assert second.cancelled()
        assert not third.done()
    assert (await third)[0] == (1, 4)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"model.gguf", "third.gguf"}


async def test_a_converter_that_dies_is_one_error(converter, task):
    with pytest.raises(WorkerDiedError, match="the conversion broke off: killed by SIGABRT") as caught:
        await told(Conversions(ProcessPlacement()), converter, task(trouble="die"))
    assert "Fatal Python error" in caught.value.reason


async def test_a_standstill_is_ended(converter, task):
    with pytest.raises(WorkerTimeoutError, match="no progress for 3 seconds"):
        await told(Conversions(ProcessPlacement(), stall=3), converter, task(trouble="hang"))
    assert psutil.Process().children() == []


async def test_closing_ends_the_one_that_runs_and_refuses_the_others(conversions, converter, task):
    news = conversions.run(converter, task(trouble="slow"))
    await anext(news)
    waiting = asyncio.create_task(told(conversions, converter, task("waiting")))
    await asyncio.sleep(0)
    await conversions.close()
    with pytest.raises(ServerBusyError):
        async for _ in news:
            pass
    with pytest.raises(ServerBusyError):
        await waiting
