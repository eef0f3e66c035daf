import os
import time

import pytest

from camelid.errors import DiskFullError, RequestError, StoreError
from camelid.store.durable import NO_HARD_LINK
from camelid.store.leases import FOLDER, Leases
from camelid.store.store import Store
from camelid.store.workplace import PREFIX, Workplace, is_old_workplace


@pytest.fixture
def make(tmp_path):
    return lambda: Workplace(tmp_path, Leases(tmp_path))


@pytest.fixture
def workplace(make):
    with make() as workplace:
        yield workplace


@pytest.fixture
def entries(tmp_path):
    return lambda: [path for path in tmp_path.iterdir() if path.name != FOLDER]


@pytest.fixture
def blob(tmp_path):
    path = tmp_path / "sha256-blob"
    path.write_bytes(b"content")
    return path


def test_nothing_is_there_before_it_is_used_and_after_it_is_closed(make, entries, blob):
    with make() as workplace:
        assert entries() == [blob]
        source = workplace.source({"a/b.json": blob, "c": blob})
        target = workplace.target()
        target.write_bytes(b"new")
        assert sorted(path.relative_to(source).as_posix() for path in source.rglob("*")) == ["a", "a/b.json", "c"]
        assert (source / "a" / "b.json").read_bytes() == b"content"
        assert not target.is_relative_to(source)
        assert workplace.target() != target
    assert entries() == [blob]
    assert blob.read_bytes() == b"content"


def test_nothing_is_made_any_more_after_the_end(make, entries, blob):
    workplace = make()
    workplace.close()
    with pytest.raises(StoreError):
        workplace.source({"a": blob})
    with pytest.raises(StoreError):
        workplace.target()
    assert entries() == [blob]


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "a/", "a//b", "../a", "a/../b", "a\\b", "C:a", "a\0"])
def test_names_that_lead_elsewhere_are_refused(workplace, blob, name):
    with pytest.raises(RequestError, match="file path must be relative"):
        workplace.source({name: blob})


@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b", "a"], ["a" * 300], ["\ud800"]])
def test_names_that_no_disk_can_hold_are_the_clients_fault(workplace, blob, names):
    with pytest.raises(RequestError, match="file"):
        workplace.source(dict.fromkeys(names, blob))


def test_a_blob_that_has_gone_is_no_clients_fault(workplace, tmp_path):
    with pytest.raises(StoreError):
        workplace.source({"a": tmp_path / "missing"})


@pytest.mark.parametrize("errno", sorted(NO_HARD_LINK))
def test_without_hard_links_there_are_symbolic_ones(workplace, blob, monkeypatch, errno):
    def refuse(*_args):
        raise OSError(errno, os.strerror(errno))

    monkeypatch.setattr(os, "link", refuse)
    assert (workplace.source({"a": blob}) / "a").read_bytes() == b"content"


def test_room_is_measured(workplace):
    workplace.require(1)
    with pytest.raises(DiskFullError, match=r"about 1000000\.0 GB are needed"):
        workplace.require(10**15)


def test_what_a_killed_server_left_is_old_when_nobody_wrote_to_it(make, entries, blob):
    left = make()
    source = left.source({"a": blob})
    (folder,) = (path for path in entries() if path.is_dir())
    target = left.target()
    target.write_bytes(b"half")
    assert not is_old_workplace(folder, time.time() - 60)
    long_ago = time.time() - 3600
    for path in (source / "a", source, target, target.parent, folder):
        os.utime(path, (long_ago, long_ago))
    os.utime(target)
    assert not is_old_workplace(folder, time.time() - 60), "somebody still writes"
    os.utime(target, (long_ago, long_ago))
    assert is_old_workplace(folder, time.time() - 60)


def test_a_store_sweeps_old_workplaces_that_nobody_uses_at_start(root):
    store = Store(root)
    used, left = store.workplace(), store.blobs.folder / f"{PREFIX}0123456789abcdef"
    used.target().write_bytes(b"half")
    (left / "1-target").mkdir(parents=True)
    Store(root)
    assert left.exists()
    long_ago = time.time() - 7200
    for path in [*store.blobs.folder.rglob("*")]:
        os.utime(path, (long_ago, long_ago))
    Store(root)
    assert not left.exists()
    assert used.target().parent.exists(), "a conversion may wait for longer than an hour"
    used.close()
    assert list(store.blobs.folder.glob(f"{PREFIX}*")) == []
