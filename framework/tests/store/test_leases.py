import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from camelid.store import leases as leases_module
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.digests import digest_of
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


def test_what_nobody_owns_is_taken_for_an_hour(leases, monkeypatch):
    leases.take("upload")
    leases.take("model", "owner")
    assert leases.taken() == {"upload", "model"}
    later = time.monotonic() + 3601
    monkeypatch.setattr(leases_module.time, "monotonic", lambda: later)
    assert leases.taken() == {"model"}


def test_nothing_is_written_before_something_is_taken(tmp_path, leases):
    assert list(tmp_path.iterdir()) == []
    assert leases.taken() == frozenset()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["lock"]


def test_who_ends_leaves_nothing(tmp_path):
    leases = Leases(tmp_path)
    leases.take("a", "owner")
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    del leases
    assert Leases(tmp_path).taken() == frozenset()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["lock"]


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
