import os
import threading
import time

import pytest

from camelid.errors import StoreError
from camelid.store import file_lock
from camelid.store.file_lock import is_held, lock_in_turn, open_locked


def test_a_file_is_open_for_one_alone(tmp_path):
    path = tmp_path / "file"
    first = open_locked(path)
    assert open_locked(path) is None
    assert is_held(path) is True
    os.close(first)
    assert is_held(path) is False
    second = open_locked(path)
    assert second is not None
    os.close(second)


def test_whether_a_file_is_held_that_is_not_there_nobody_knows(tmp_path):
    assert is_held(tmp_path / "file") is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_removed_by_who_had_it_is_made_anew(tmp_path, monkeypatch):
    """As one that fetches a blob finishes while another one opens its counts."""
    path = tmp_path / "file"
    holders, lock = [open_locked(path)], file_lock._lock

    def removed_meanwhile(descriptor: int) -> None:
        if holders:
            path.unlink()
            os.close(holders.pop())
        lock(descriptor)

    monkeypatch.setattr(file_lock, "_lock", removed_meanwhile)
    second = open_locked(path)
    assert second is not None
    assert os.path.samestat(os.fstat(second), path.stat())
    assert open_locked(path) is None
    os.close(second)


def test_where_files_have_another_number_each_time_it_ends_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(file_lock, "is_at", lambda _path, _descriptor: False)
    first = open_locked(tmp_path / "file")
    assert first is not None
    assert open_locked(tmp_path / "file") is None
    os.close(first)


def test_everybody_gets_a_turn(tmp_path):
    path, count = tmp_path / "lock", 0

    def add() -> None:
        nonlocal count
        for _ in range(20):
            turn = lock_in_turn(path, float("inf"))
            before = count
            threading.Event().wait(0.0001)
            count = before + 1
            os.close(turn)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 80


def test_who_waits_too_long_is_told_so(tmp_path):
    turn = lock_in_turn(tmp_path / "lock", time.monotonic())
    with pytest.raises(StoreError, match="try again"):
        lock_in_turn(tmp_path / "lock", time.monotonic())
    os.close(turn)


def test_who_may_not_write_to_the_file_waits_for_a_turn_as_well(strange_folder, as_stranger):
    path = strange_folder / "lock"
    path.touch(0o644)
    with as_stranger(strange_folder):
        turn = lock_in_turn(path, time.monotonic())
        assert is_held(path) is True
        with pytest.raises(StoreError, match="try again"):
            lock_in_turn(path, time.monotonic())
        os.close(turn)
        assert is_held(path) is False
        with pytest.raises(PermissionError):
            lock_in_turn(strange_folder / "another", time.monotonic())


@pytest.mark.parametrize("errno", sorted(file_lock._NO_LOCKS))
def test_without_locks_everybody_works_as_if_alone(tmp_path, monkeypatch, errno):
    def refuse(_descriptor: int) -> None:
        raise OSError(errno, "no locks here")

    monkeypatch.setattr(file_lock, "_lock", refuse)
    path = tmp_path / "lock"
    turns = [lock_in_turn(path, time.monotonic()) for _ in range(2)]
    assert is_held(path) is None
    for turn in turns:
        os.close(turn)
