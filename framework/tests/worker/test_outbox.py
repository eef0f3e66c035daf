import pytest

from camelid.types.generation import FinishReason
from camelid.types.usage import EngineUsage
from camelid.wire.messages import Delta, Fault
from camelid.worker.outbox import FRAME_SECONDS, USAGE_SECONDS, Outbox


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
    return Outbox(lambda step: frames.append(list(step.deltas)), EngineUsage, FRAME_SECONDS, clock)


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


def test_what_the_engine_holds_is_told_each_second_at_an_end_and_before_a_rest(clock):
    now = EngineUsage()
    told = []
    outbox = Outbox(lambda step: told.append(step.usage), lambda: now, 0.0, clock)
    outbox.rest()
    for running in range(1, 4):
        now = EngineUsage(running=running)
        outbox.put([Delta(1, "a", 1)])
    assert told == [EngineUsage(running=1), None, None]
    clock.now += USAGE_SECONDS
    outbox.put([Delta(1, "a", 1)])
    outbox.put([Delta(1, "a", 1, finish=FinishReason.STOP)])
    assert told[3:] == [now, now]
    outbox.rest()
    now = EngineUsage(cells_used=7)
    outbox.rest()
    outbox.rest()
    assert told[5:] == [now]
