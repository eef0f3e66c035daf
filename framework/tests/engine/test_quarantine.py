import pytest

from camelid.engine.quarantine import Quarantine
from camelid.errors import WorkerQuarantinedError


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def die(quarantine: Quarantine, clock: Clock, *times: float):
    for time in times:
        clock.now = time
        quarantine.record("m", "killed by SIGSEGV")


def test_three_deaths_in_a_minute_close_the_door_for_a_while(clock):
    quarantine = Quarantine(clock)
    die(quarantine, clock, 1000, 1030)
    quarantine.check("m", "toy")
    die(quarantine, clock, 1060)
    clock.now = 1070
    with pytest.raises(WorkerQuarantinedError) as caught:
        quarantine.check("m", "toy")
    assert caught.value.message == (
        "the worker of 'toy' died 3 times within 60 seconds (killed by SIGSEGV); "
        "it will be started again in 20 seconds; see the server's log"
    )
    assert caught.value.status == 503
    quarantine.check("other", "other")
    clock.now = 1090
    quarantine.check("m", "toy")


def test_deaths_far_apart_are_forgiven(clock):
    quarantine = Quarantine(clock)
    die(quarantine, clock, 1000, 1050, 1100, 1150, 1200)
    quarantine.check("m", "toy")


def test_the_pause_doubles_up_to_its_limit_and_a_long_life_starts_anew(clock):
    quarantine = Quarantine(clock)
    pauses = []
    for _ in range(7):
        die(quarantine, clock, *[clock.now] * 3)
        with pytest.raises(WorkerQuarantinedError, match=r"in (\d+) seconds") as caught:
            quarantine.check("m", "toy")
        pauses.append(int(caught.value.message.split(" in ")[-1].split()[0]))
        clock.now += pauses[-1]
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    clock.now += 601
    die(quarantine, clock, *[clock.now] * 3)
    with pytest.raises(WorkerQuarantinedError, match="in 30 seconds"):
        quarantine.check("m", "toy")


def test_what_was_mended_is_tried_at_once(clock):
    quarantine = Quarantine(clock)
    die(quarantine, clock, 1000, 1001, 1002)
    quarantine.clear()
    quarantine.check("m", "toy")
