import pytest

from camelid.types.generation import FinishReason
from camelid.wire.messages import Delta, Fault
from camelid.worker.outbox import FRAME_SECONDS, Outbox


@pytest.fixture
def frames():
    return []


@pytest.fixture
def clock():
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def outbox(frames, clock):
    return Outbox(lambda step: frames.append(list(step.deltas)), FRAME_SECONDS, clock)


def test_the_first_delta_leaves_at_once(outbox, frames):
    outbox.put([Delta(1, "a", 1)])
    assert frames == [[Delta(1, "a", 1)]]


def test_what_follows_quickly_leaves_together(outbox, frames, clock):
    outbox.put([Delta(1, "a", 1)])
    outbox.put([Delta(1, "b", 1), Delta(2, "x", 1)])
    clock.now += FRAME_SECONDS / 2
    outbox.put([Delta(1, "c", 2)])
    assert len(frames) == 1
    clock.now += FRAME_SECONDS
    outbox.put([Delta(2, "y", 1)])
    assert frames[1:] == [[Delta(1, "bc", 3), Delta(2, "xy", 2)]]


@pytest.mark.parametrize("end", [{"finish": FinishReason.STOP, "stop": "."}, {"fault": Fault("ModelError", "broken")}])
def test_an_end_takes_along_what_is_held(outbox, frames, end):
    outbox.put([Delta(1, "a", 1)])
    outbox.put([Delta(1, "b", 1), Delta(2, "x", 1)])
    outbox.put([Delta(1, "c", 1, **end)])
    assert frames[1:] == [[Delta(1, "bc", 2, **end), Delta(2, "x", 1)]]


def test_nothing_is_sent_of_a_request_that_nobody_waits_for(outbox, frames, clock):
    outbox.put([Delta(1, "a", 1)])
    outbox.put([Delta(1, "b", 1), Delta(2, "x", 1)])
    outbox.forget(1)
    outbox.forget(3)
    clock.now += FRAME_SECONDS
    outbox.put([])
    assert frames[1:] == [[Delta(2, "x", 1)]]


def test_no_frame_is_empty(outbox, frames, clock):
    outbox.put([])
    clock.now += 1
    outbox.put([])
    assert frames == []
