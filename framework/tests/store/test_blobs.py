import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from camelid.errors import BlobNotFoundError, DigestMismatchError, DiskFullError, RequestError, StoreError
from camelid.store import blobs as blobs_module
from camelid.store.blobs import CHUNK, BlobStore
from camelid.store.digests import digest_of
from camelid.store.leases import FOLDER
from camelid.store.store import Store


@pytest.fixture
def blobs(store: Store) -> BlobStore:
    return store.blobs


def names(blobs: BlobStore) -> list[str]:
    return sorted(path.name for path in blobs.folder.iterdir() if path.name != FOLDER)


def test_a_blob_lies_under_its_digest_and_can_be_read_back(blobs):
    digest = blobs.put(b"content")
    path = blobs.folder / f"sha256-{sha256(b'content').hexdigest()}"
    assert (digest, blobs.path(digest)) == (digest_of(b"content"), path)
    assert path.read_bytes() == blobs.read(digest, 100) == b"content"
    assert blobs.has(digest.replace(":", "-"))
    assert blobs.size(digest) == 7
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_writer_hashes_what_it_gets_in_pieces(blobs):
    with blobs.writer() as writer:
        for piece in (b"one", memoryview(b"two"), b""):
            writer.write(piece)
        assert writer.size == 6
        digest = writer.commit()
    assert digest == digest_of(b"onetwo")
    assert names(blobs) == [digest.replace(":", "-")]


def test_what_is_not_committed_leaves_nothing(blobs):
    with blobs.writer() as writer:
        writer.write(b"x")
        assert len(names(blobs)) == 1
    assert names(blobs) == []


def test_what_has_another_digest_is_dropped(blobs):
    wanted, got = digest_of(b"a"), digest_of(b"b")
    with blobs.writer() as writer:
        writer.write(b"b")
        with pytest.raises(DigestMismatchError) as caught:
            writer.commit(wanted)
    assert str(caught.value) == f'digest mismatch, expected "{wanted}", got "{got}"'
    assert names(blobs) == []


def test_an_error_while_writing_leaves_nothing(blobs):
    def write_and_fail() -> None:
        with blobs.writer() as writer:
            writer.write(b"x")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        write_and_fail()
    assert names(blobs) == []


def test_missing_blobs_are_said_to_be_missing(blobs):
    digest = digest_of(b"nothing")
    assert not blobs.has(digest)
    assert not blobs.touch(digest)
    with pytest.raises(BlobNotFoundError, match=digest):
        blobs.size(digest)
    with pytest.raises(BlobNotFoundError, match=digest):
        blobs.read(digest, 10)


def test_a_small_blob_that_is_large_is_refused(blobs):
    digest = blobs.put(b"0123456789")
    assert blobs.read(digest, 10) == b"0123456789"
    with pytest.raises(StoreError, match="too large"):
        blobs.read(digest, 9)


@pytest.mark.parametrize("text", ["../../etc/passwd", "sha256:../x", "", "/etc/passwd", "sha256-x"])
def test_nothing_but_a_digest_becomes_a_path(blobs, text):
    for use in (blobs.path, blobs.has, blobs.size, blobs.touch):
        with pytest.raises(RequestError, match="invalid digest format"):
            use(text)


def test_a_symbolic_link_is_no_blob_and_is_replaced_by_one(blobs, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"content")
    path = blobs.path(digest_of(b"content"))
    path.symlink_to(outside)
    assert not blobs.has(digest_of(b"content"))
    blobs.put(b"content")
    assert not path.is_symlink()
    assert path.read_bytes() == b"content"


def test_a_blob_that_lost_its_end_in_a_crash_is_replaced(blobs):
    digest = blobs.put(b"content")
    os.truncate(blobs.path(digest), 3)
    assert blobs.put(b"content") == digest
    assert blobs.path(digest).read_bytes() == b"content"


def test_a_blob_that_was_damaged_is_healed_by_storing_it_again(blobs):
    digest = blobs.put(b"content")
    blobs.path(digest).write_bytes(b"cOntent")
    with blobs.writer() as writer:
        writer.write(b"content")
        writer.commit(digest)
    assert blobs.read(digest, 100) == b"content"


def test_using_a_blob_again_makes_it_young(blobs):
    digest = blobs.put(b"content")
    os.utime(blobs.path(digest), (1000, 1000))
    assert blobs.put(b"content") == digest
    assert time.time() - blobs.path(digest).stat().st_mtime < 60


def test_a_file_on_this_machine_is_linked_not_copied(blobs, tmp_path):
    source = tmp_path / "weights.bin"
    source.write_bytes(os.urandom(3 * CHUNK + 17))
    seen: list[int] = []
    digest = blobs.link(source, on_progress=seen.append)
    assert digest == digest_of(source.read_bytes())
    assert blobs.path(digest).samefile(source)
    assert seen[-1] == 3 * CHUNK + 17
    assert seen == sorted(seen)
    assert blobs.link(source) == digest
    assert names(blobs) == [digest.replace(":", "-")]


def test_a_symbolic_link_to_a_file_is_linked_as_the_file(blobs, tmp_path):
    source, link = tmp_path / "weights.bin", tmp_path / "link.bin"
    source.write_bytes(b"weights")
    link.symlink_to(source)
    digest = blobs.link(link)
    assert not blobs.path(digest).is_symlink()
    assert blobs.path(digest).samefile(source)


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_file_that_cannot_be_linked_is_copied(blobs, tmp_path, monkeypatch, code):
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    source = tmp_path / "weights.bin"
    source.write_bytes(os.urandom(CHUNK + 1))
    monkeypatch.setattr(blobs_module.os, "link", refuse)
    digest = blobs.link(source)
    assert not blobs.path(digest).samefile(source)
    assert blobs.path(digest).read_bytes() == source.read_bytes()
    assert names(blobs) == [digest.replace(":", "-")]


def test_a_given_digest_is_verified_before_a_file_is_linked(blobs, tmp_path):
    source = tmp_path / "weights.bin"
    source.write_bytes(b"weights")
    with pytest.raises(DigestMismatchError):
        blobs.link(source, expected=digest_of(b"other"))
    assert names(blobs) == []
    assert blobs.link(source, expected=digest_of(b"weights")) == digest_of(b"weights")


def test_only_files_can_be_linked(blobs, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path / "missing", tmp_path, fifo):
        with pytest.raises(RequestError, match=str(path)):
            blobs.link(path)
    assert names(blobs) == []


def test_many_threads_may_write_the_same_blob(blobs):
    content = os.urandom(2 * CHUNK)
    start = threading.Barrier(8)

    def write() -> str:
        start.wait()
        with blobs.writer() as writer:
            for at in range(0, len(content), CHUNK):
                writer.write(content[at : at + CHUNK])
            return writer.commit()

    with ThreadPoolExecutor(8) as threads:
        digests = {future.result() for future in [threads.submit(write) for _ in range(8)]}
    assert digests == {digest_of(content)}
    assert names(blobs) == [digest_of(content).replace(":", "-")]
    assert blobs.read(digest_of(content), 1 << 30) == content


def test_a_blob_that_somebody_is_about_to_use_is_not_discarded(blobs):
    digest = blobs.put(b"content")
    assert not blobs.discard(digest)
    blobs.claim([digest])
    assert blobs.discard(digest)
    assert not blobs.has(digest)
    assert not blobs.discard(digest)


def test_a_blob_wanted_by_two_is_kept_until_both_have_claimed_it(blobs):
    digest = blobs.put(b"content", "first")
    assert blobs.put(b"content", "second") == digest
    blobs.claim([digest], "first")
    assert not blobs.discard(digest)
    blobs.claim([digest], "second")
    assert blobs.discard(digest)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_leaves_nothing(blobs, monkeypatch, code):
    written = 0

    def write(descriptor: int, content: memoryview) -> int:
        nonlocal written
        written += 1
        if written > 2:
            raise OSError(code, os.strerror(code))
        return real_write(descriptor, content[:1000])

    real_write = os.write
    monkeypatch.setattr("camelid.store.durable.os.write", write)
    with pytest.raises(DiskFullError, match=str(blobs.folder)), blobs.writer() as writer:
        writer.write(bytes(10_000))
    monkeypatch.undo()
    assert names(blobs) == []


_FILL = """
import resource, signal, sys
from pathlib import Path
from camelid.errors import DiskFullError
from camelid.store.store import Store

store = Store(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    with store.blobs.writer() as writer:
        for _ in range(10):
            writer.write(bytes(30_000))
except DiskFullError as error:
    print(type(error).__name__, writer.size)
"""


def test_a_file_system_that_takes_no_more_is_met_for_real(root):
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(root)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "DiskFullError 90000\n"
    assert [path.name for path in (root / "blobs").iterdir()] == [FOLDER]


_HALF = """
import sys, time
from pathlib import Path
from camelid.store.store import Store

store = Store(Path(sys.argv[1]))
store.blobs.put(b"complete")
with store.blobs.writer() as writer:
    writer.write(bytes(1_000_000))
    print("half way", flush=True)
    time.sleep(60)
"""


def test_killed_while_writing_nothing_complete_is_lost_and_nothing_half_is_visible(root: Path):
    with subprocess.Popen([sys.executable, "-c", _HALF, str(root)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half way\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    complete = digest_of(b"complete")
    folder = root / "blobs"
    left = {path.name for path in folder.iterdir()} - {complete.replace(":", "-"), FOLDER}
    assert len(left) == 1
    store = Store(root)
    assert store.blobs.read(complete, 100) == b"complete"
    with store.blobs.writer() as writer:
        writer.write(bytes(2_000_000))
        whole = writer.commit(digest_of(bytes(2_000_000)))
    for path in folder.iterdir():
        os.utime(path, (time.time() - 4000,) * 2)
    store.blobs.touch(whole)
    assert {path.name for path in folder.iterdir()} > left
    Store(root)
    assert names(store.blobs) == [whole.replace(":", "-")]
