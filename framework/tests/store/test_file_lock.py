import os
import threading

import pytest

from camelid.errors import StoreError
from camelid.store import file_lock
from camelid.store.file_lock import locked, open_locked


def test_a_file_is_open_for_one_alone(tmp_path):
    path = tmp_path / "file"
    first = open_locked(path)
    assert open_locked(path) is None
    os.close(first)
    second = open_locked(path)
    assert second is not None
    os.close(second)


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


def test_everybody_gets_a_turn(tmp_path):
    path, count = tmp_path / "lock", 0

    def add() -> None:
        nonlocal count
        for _ in range(20):
            with locked(path):
                before = count
                threading.Event().wait(0.0001)
                count = before + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 80


def test_who_waits_too_long_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(file_lock, "_PATIENCE", 0.01)
    with locked(tmp_path / "lock"), pytest.raises(StoreError, match="try again"), locked(tmp_path / "lock"):
        pass


def test_without_locks_everybody_works_as_if_alone(tmp_path, monkeypatch):
    def refuse(_descriptor: int) -> None:
        raise OSError(next(iter(file_lock._NO_LOCKS)), "no locks here")

    monkeypatch.setattr(file_lock, "_lock", refuse)
    with locked(tmp_path / "lock"), locked(tmp_path / "lock"):
        pass
