import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, nullcontext

import pytest

from camelid.errors import DiskFullError, StoreError
from camelid.store import file_lock, folder_turn, media_types
from camelid.store import leases as leases_module
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.digests import digest_of
from camelid.store.file_lock import open_locked
from camelid.store.folder_turn import LOCK
from camelid.store.leases import FOLDER, Leases
from camelid.store.store import Store
from camelid.types.names import ModelName


@pytest.fixture
def leases(tmp_path):
    return Leases(tmp_path)


@pytest.fixture
def age(root):
    """Makes everything in the folder of the blobs two hours old."""

    def make_old() -> None:
        for path in (root / "blobs").rglob("*"):
            os.utime(path, (time.time() - 7200,) * 2)

    return make_old


def test_a_name_is_taken_until_every_owner_dropped_it(tmp_path, leases):
    other = Leases(tmp_path)
    leases.take("a", "one")
    leases.take("a", "two")
    leases.take("b", "one")
    assert leases.taken() == other.taken() == {"a", "b"}
    leases.drop("one")
    assert leases.taken() == other.taken() == {"a"}
    leases.drop("two", ["a", "unknown"])
    assert leases.taken() == other.taken() == frozenset()


def files(folder):
    return sorted(path.name for path in (folder / FOLDER).iterdir())


@pytest.fixture
def busy(tmp_path, monkeypatch):
    """Another process that does not let go, while the `with` lasts."""
    monkeypatch.setattr(folder_turn, "_PATIENCE", 0.01)

    @contextmanager
    def hold(folder=tmp_path):
        (folder / FOLDER).mkdir(exist_ok=True)
        descriptor = open_locked(folder / FOLDER / LOCK)
        yield
        os.close(descriptor)

    return hold


def test_what_nobody_owns_is_taken_for_an_hour(tmp_path, leases, monkeypatch):
    leases.take("upload")
    leases.take("model", "owner")
    assert leases.taken() == Leases(tmp_path).taken() == {"upload", "model"}
    later = time.time() + 3601
    monkeypatch.setattr(leases_module.time, "time", lambda: later)
    assert Leases(tmp_path).taken() == {"model"}, "also where the other one has nothing to do any more"
    assert leases.taken() == {"model"}


def test_nothing_is_written_before_something_is_taken(tmp_path, leases):
    assert list(tmp_path.iterdir()) == []
    assert leases.taken() == frozenset()
    assert files(tmp_path) == ["lock"]


def test_who_ends_leaves_nothing(tmp_path):
    leases = Leases(tmp_path)
    leases.take("a", "owner")
    assert len(files(tmp_path)) == 3
    del leases
    assert Leases(tmp_path).taken() == frozenset()
    assert files(tmp_path) == ["lock"]


def test_what_others_took_is_read_where_who_reads_a_locked_file_is_refused(tmp_path, leases, share_of_windows):
    leases.take("a", "owner")
    assert Leases(tmp_path).taken() == {"a"}


def test_other_files_and_folders_are_no_leases(tmp_path, leases):
    leases.take("a", "owner")
    (tmp_path / FOLDER / "@eaDir").mkdir()
    (tmp_path / FOLDER / "0123456789abcdef").mkdir()
    (tmp_path / FOLDER / "notes").write_text("b")
    (tmp_path / FOLDER / "thumbs.names").write_text("inf b")
    assert leases.taken() == Leases(tmp_path).taken() == {"a"}
    assert (tmp_path / FOLDER / "notes").exists()


def test_a_mark_that_somebody_removed_is_made_anew(tmp_path, leases):
    """On a network file system whose locks hold on one machine only, others take it for that of one who has ended."""
    leases.take("a", "owner")
    for name in files(tmp_path):
        if name != "lock":
            (tmp_path / FOLDER / name).unlink()
    assert Leases(tmp_path).taken() == frozenset()
    leases.take("b", "owner")
    assert Leases(tmp_path).taken() == {"a", "b"}


def test_without_locks_nobody_removes_what_may_be_in_use(tmp_path, leases, monkeypatch):
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr(file_lock, "_lock", refuse)
    leases.take("a", "owner")
    before = files(tmp_path)
    assert Leases(tmp_path).taken() == frozenset()
    assert files(tmp_path) == before


def test_what_is_dropped_is_forgotten_although_nobody_can_be_told(tmp_path, leases, busy):
    leases.take("a", "one")
    leases.take("b", "two")
    with busy():
        leases.drop("one")
    assert leases.taken() == {"b"}
    assert Leases(tmp_path).taken() == {"a", "b"}
    leases.take("c", "two")
    assert Leases(tmp_path).taken() == {"b", "c"}


def test_what_cannot_be_told_is_not_taken(tmp_path, leases, busy, monkeypatch):
    def refuse(_descriptor: int, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    leases.take("a", "one")
    with monkeypatch.context() as full:
        full.setattr(leases_module, "write_all", refuse)
        with pytest.raises(DiskFullError):
            leases.take("b", "one")
    with busy(), pytest.raises(StoreError, match="try again"):
        leases.take("c", "one")
    assert leases.taken() == {"a"}
    leases.take("d", "one")
    assert Leases(tmp_path).taken() == {"a", "d"}


def test_what_went_wrong_is_told_and_not_that_the_end_did_too(root, busy):
    store = Store(root)
    builder = ModelBuilder(store, ModelConfig())
    builder.add(media_types.MODEL, b"weights")
    with busy(store.blobs.folder), closing(builder):
        pass
    assert store.blobs.leases.taken() == frozenset()


def test_leases_of_an_administrator_are_for_who_owns_the_files(strange_folder, as_stranger):
    if os.geteuid() == 0:
        os.chown(strange_folder, 65534, 65534)
    first = Leases(strange_folder)
    first.take("a", "owner")
    with nullcontext() if os.geteuid() else as_stranger():
        second = Leases(strange_folder)
        second.take("b", "owner")
        assert first.taken() == second.taken() == {"a", "b"}
        del first
        assert second.taken() == {"b"}
        assert len(files(strange_folder)) == 3


def test_a_folder_of_leases_that_only_others_may_write_to_keeps_nobody_from_working(
    strange_folder, as_stranger, caplog
):
    """As one has it whose server an administrator ran once."""
    if os.geteuid() == 0:
        os.chown(strange_folder, 65534, 65534)
    folder = strange_folder / FOLDER
    folder.mkdir(0o755)
    (folder / LOCK).touch(0o644)
    administrator = Leases(strange_folder)
    administrator.take("a", "owner")
    for path in (folder, *folder.iterdir()):
        if os.geteuid() == 0:
            os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)
    with as_stranger(folder):
        leases = Leases(strange_folder)
        leases.take("b", "owner")
        assert leases.taken() == {"a", "b"}
        with leases.exclusive():
            assert open_locked_read_only(folder / LOCK) is None
        leases.drop("owner")
        assert leases.taken() == {"a"}
    assert caplog.text.count("other servers may remove what this one needs") == 1


def open_locked_read_only(path):
    return file_lock._open_locked(path, file_lock._READ)


def test_a_store_that_is_only_read_is_read(strange_folder, as_stranger):
    builder = ModelBuilder(Store(strange_folder), ModelConfig())
    builder.add(media_types.MODEL, b"weights")
    builder.write(ModelName.parse("model"))
    with as_stranger(strange_folder):
        store = Store(strange_folder)
        assert [model.name.short for model in store.list()] == ["model:latest"]
        assert not store.delete(ModelName.parse("another"))
        with pytest.raises(StoreError):
            store.blobs.put(b"more")


_MAKER = """
import sys, time
from pathlib import Path
from camelid.store.store import Store

store = Store(Path(sys.argv[1]))
owner = object()
for content in (b"shared", b"alone"):
    store.blobs.put(content, owner)
store.workplace().target().write_bytes(b"half")
with store.blobs.writer(owner) as writer:
    writer.write(b"on its way")
    print("begun", flush=True)
    time.sleep(600)
"""


def test_what_another_process_is_about_to_use_stays_however_old_until_that_is_killed(root, age):
    store = Store(root)
    builder = ModelBuilder(store, ModelConfig())
    builder.add(media_types.MODEL, b"shared")
    other = ModelName.parse("other")
    builder.write(other)
    shared, alone = digest_of(b"shared"), digest_of(b"alone")
    with subprocess.Popen([sys.executable, "-c", _MAKER, str(root)], stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"begun\n"
        before = {path.name for path in store.blobs.folder.iterdir()}
        age()
        assert {path.name for path in Store(root).blobs.folder.iterdir()} == before
        assert store.delete(other)
        assert (store.blobs.has(shared), store.blobs.has(alone)) == (True, True)
        maker.send_signal(signal.SIGKILL)
        maker.wait()
    age()
    store.prune()
    assert [path.name for path in store.blobs.folder.iterdir()] == [FOLDER]


def test_a_model_appears_whole_although_another_server_starts_just_then(root, age, monkeypatch):
    """The other one has read the manifests already, and removes only then what none of them named."""
    store = Store(root)
    builder = ModelBuilder(store, ModelConfig())
    builder.add(media_types.MODEL, b"weights")
    age()
    used = Store._used
    writing = []

    def read_then_wait(self: Store) -> set[str]:
        names = used(self)
        if not writing:
            writing.append(threading.Thread(target=builder.write, args=(ModelName.parse("new"),)))
            writing[0].start()
            writing[0].join(0.2)
        return names

    monkeypatch.setattr(Store, "_used", read_then_wait)
    Store(root)
    writing[0].join()
    assert store.find(ModelName.parse("new")) is not None
