"""A worker that converts, told so by its first frame."""

import queue
from pathlib import Path

import pytest

from camelid.types.conversion import ConversionTask
from camelid.wire.messages import PROTOCOL_VERSION, Convert, Converted, Failed, Goodbye, Progress, ToWorker
from camelid.worker.conversion import convert
from camelid.worker.loop import WorkerLoop


@pytest.fixture
def order(toy_converters, tmp_path):
    """Makes `Convert` messages; the source's config is given."""

    def order(config="{}", **changes) -> Convert:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "config.json").write_text(config)
        task = ConversionTask("toy-import", str(tmp_path / "source"), str(tmp_path / "out.gguf"))
        return Convert(**{"protocol": PROTOCOL_VERSION, "plugin": toy_converters, "task": task, **changes})

    return order


def told(message: Convert, *more: ToWorker | None, seconds=0.0):
    """What a worker answers to the message; `more` is in its inbox already."""
    inbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
    for other in more:
        inbox.put(other)
    said = []
    return convert(message, inbox, said.append, seconds=seconds), said


def test_a_conversion_reports_and_writes_its_target(order):
    message = order()
    done, said = told(message)
    assert done
    assert said == [Progress(1, 4), Progress(4, 4), Converted(), Goodbye()]
    assert Path(message.task.target).read_bytes().startswith(b"GGUF")


def test_reports_in_quick_succession_are_left_out(order):
    assert told(order(), seconds=1000.0)[1] == [Progress(1, 4), Converted(), Goodbye()]


@pytest.mark.parametrize(
    ("trouble", "kind", "message", "plugin"),
    [
        ("architecture", "UnsupportedCapabilityError", 'unsupported architecture "Toy"', ""),
        ("break", "CamelidError", "toy-converters raised ", "toy-converters"),
        ("full", "DiskFullError", "no space left for the converted model", "toy-converters"),
        ("memory", "ModelMemoryError", "there is not enough memory to convert", "toy-converters"),
    ],
)
def test_whatever_a_converter_raises_is_told(order, trouble, kind, message, plugin):
    done, [progress, failed, goodbye] = told(order(f'{{"trouble": "{trouble}"}}'))
    assert not done
    assert (progress, goodbye) == (Progress(1, 4), Goodbye())
    assert isinstance(failed, Failed)
    assert (failed.id, failed.fault.kind, failed.fault.plugin) == (0, kind, plugin)
    assert failed.fault.message.startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plugin": "missing"}, "the plugin 'missing' is broken"),
        ({"protocol": 99}, "server and worker are of different versions"),
        ({"task": ConversionTask("toy-nothing", "/", "/")}, "camelid_converter"),
    ],
)
def test_an_order_that_cannot_be_followed(order, change, message):
    done, [failed, _] = told(order(**change))
    assert not done
    assert message in failed.fault.message


def test_a_thread_that_converts_for_nobody_ends_itself(order):
    done, [failed, _] = told(order('{"trouble": "slow"}'), None)
    assert not done
    assert failed.fault.kind == "RequestCancelledError"


def test_the_loop_converts_if_that_is_what_it_hears_first(order):
    inbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
    inbox.put(order())
    said = []
    assert WorkerLoop(inbox, said.append).run() == 0
    assert said[-2:] == [Converted(), Goodbye()]
