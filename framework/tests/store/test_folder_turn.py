import errno
import os
import stat
import threading
from threading import Event

import pytest

from camelid.errors import StoreError
from camelid.store import folder_turn as folder_turn_module
from camelid.store.file_lock import open_locked
from camelid.store.folder_turn import GONE, LOCK, FolderTurn


@pytest.fixture
def turn(tmp_path):
    return FolderTurn(tmp_path / "turn")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(folder_turn_module, "_PATIENCE", 0.01)


def test_a_turn_within_a_turn_is_the_same(turn, tmp_path, impatient):
    with turn.held(), turn.held():
        assert open_locked(tmp_path / "turn" / LOCK) is None
    other = open_locked(tmp_path / "turn" / LOCK)
    assert other is not None
    os.close(other)


def test_who_waits_for_another_process_gives_up_in_time(turn, tmp_path, impatient):
    (tmp_path / "turn").mkdir()
    other = open_locked(tmp_path / "turn" / LOCK)
    with pytest.raises(StoreError, match="another program keeps the models folder to itself"), turn.held():
        pytest.fail("it is somebody else's turn")
    os.close(other)
    with turn.held():
        pass


def test_who_waits_for_another_thread_gives_up_in_time(turn, impatient):
    inside, leave = Event(), Event()

    def stay() -> None:
        with turn.held():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    try:
        with pytest.raises(StoreError, match="the models folder is busy: try again"), turn.held():
            pytest.fail("it is somebody else's turn")
    finally:
        leave.set()
        thread.join()


def test_bytes_go_when_the_others_may_go_on(turn, tmp_path, impatient, monkeypatch):
    remove, removed = folder_turn_module._remove, []

    def remove_beside_others(path) -> None:
        with FolderTurn(tmp_path / "turn").held():
            removed.append(path)
            remove(path)

    monkeypatch.setattr(folder_turn_module, "_remove", remove_beside_others)
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_bytes(b"large")
    (folder / "inner").mkdir(parents=True)
    with turn.held():
        with turn.held():
            turn.discard(file)
        turn.discard(folder)
        assert sorted(path.name[: len(GONE)] for path in tmp_path.iterdir()) == [GONE, GONE, "turn"]
        assert removed == []
    assert len(removed) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["turn"]


def test_what_vanished_goes_although_the_turn_ends_with_an_error(turn, tmp_path):
    (tmp_path / "file").touch()

    def fail() -> None:
        with turn.held():
            turn.discard(tmp_path / "file")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["turn"]


def test_what_is_not_there_cannot_vanish(turn, tmp_path):
    with turn.held(), pytest.raises(FileNotFoundError):
        turn.discard(tmp_path / "file")


@pytest.mark.parametrize("mode", [0o755, 0o775])
def test_lock_and_folder_belong_to_who_owns_the_files(tmp_path, mode):
    files = tmp_path / "files"
    files.mkdir()
    if os.geteuid() == 0:
        os.chown(files, 1234, 4321)
    files.chmod(mode)
    with FolderTurn(files / "turn").held():
        pass
    for path, wanted in ((files / "turn", mode), (files / "turn" / LOCK, mode & 0o666)):
        status, like = path.stat(), files.stat()
        assert (status.st_uid, status.st_gid) == (like.st_uid, like.st_gid)
        assert stat.S_IMODE(status.st_mode) == wanted


def test_who_may_make_no_lock_works_as_if_alone(strange_folder, as_stranger, caplog):
    turn = FolderTurn(strange_folder / "turn")
    with as_stranger(strange_folder):
        for _ in range(2):
            with turn.held():
                pass
    assert list(strange_folder.iterdir()) == []
    assert caplog.text.count("other servers may remove what this one needs") == 1


def test_file_systems_without_owners_and_modes_do(turn, tmp_path, monkeypatch):
    def refuse(*_args, **_more):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(os, "chmod", refuse)
    with turn.held():
        assert open_locked(tmp_path / "turn" / LOCK) is None
