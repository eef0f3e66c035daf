import threading
from threading import Event, Thread

import pytest

from camelid.store.transfer_slots import Slots


class GoneError(Exception):
    """A client has left."""


def lined_up(slots: Slots, work) -> Thread:
    """A thread that waits in line, and then works."""
    waits = Event()

    def run() -> None:
        slots.take(waits.set)
        work()
        slots.give_back()

    thread = Thread(target=run)
    thread.start()
    waits.wait()
    return thread


def ignore() -> None:
    """Of a look."""


def test_who_asks_again_stands_behind_those_who_wait():
    slots, got = Slots(1), []
    slots.take(ignore)
    waiting = [lined_up(slots, lambda name=name: got.append(name)) for name in ("first", "second")]
    slots.give_back()
    slots.take(ignore)
    assert got == ["first", "second"]
    slots.give_back()
    for thread in waiting:
        thread.join()


def test_no_more_than_so_many_at_once():
    slots, most, lock, inside = Slots(3), 0, threading.Lock(), 0

    def work() -> None:
        nonlocal most, inside
        for _ in range(50):
            slots.take(ignore)
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1
            slots.give_back()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 3
    for _ in range(3):
        slots.take(pytest.fail)


def test_who_leaves_the_line_leaves_its_place_to_the_others():
    slots = Slots(1)

    def leave() -> None:
        raise GoneError

    slots.take(ignore)
    with pytest.raises(GoneError):
        slots.take(leave)
    slots.give_back()
    slots.take(pytest.fail)


def test_who_leaves_just_when_its_turn_comes_passes_it_on():
    slots = Slots(1)

    def leave() -> None:
        slots.give_back()
        raise GoneError

    slots.take(ignore)
    with pytest.raises(GoneError):
        slots.take(leave)
    slots.take(pytest.fail)


def test_where_nobody_is_served_patience_ends():
    slots = Slots(1)
    slots.take(ignore)
    with pytest.raises(TimeoutError, match=r"^no slot for 0\.01 s$"):
        slots.take(ignore, patience=0.01)
