import errno
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import BinaryIO

import msgspec
import pytest

from camelid.contracts.registry import BlobSource, OnlyFromStartError, TransientRegistryError
from camelid.errors import DiskFullError, RegistryError, StoreError
from camelid.store import file_lock
from camelid.store.digests import digest_of
from camelid.store.transfer import Transfers
from camelid.store.transfer_partial import PREFIX
from camelid.store.transfer_policy import TransferPolicy

CONTENT = os.urandom(1_000_003)
DIGEST = digest_of(CONTENT)
BLOB = BlobSource(digest=DIGEST, size=len(CONTENT), url="blob")
SEGMENT = 100_000


class LeaveError(Exception):
    """A client goes away."""


class Source:
    """A blob, sent in small pieces; `faults` are asked before each piece and may raise, wait, or end the stream."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.requests: list[tuple[int, int]] = []
        self.sent = 0
        self.fault: Callable[[int], bool | None] = lambda _offset: None
        self.only_from_start = False
        self._lock = threading.Lock()

    @contextmanager
    def open(self, _blob: BlobSource, offset: int, length: int) -> Iterator[BinaryIO]:
        with self._lock:
            self.requests.append((offset, length))
        if offset and self.only_from_start:
            raise OnlyFromStartError("no ranges here")
        yield _Body(self, offset)  # type: ignore[misc]


class _Body(io.RawIOBase):
    def __init__(self, source: Source, offset: int) -> None:
        self._source = source
        self._offset = offset

    def read(self, size: int = -1) -> bytes:
        if self._source.fault(self._offset):
            return b""
        piece = self._source.content[self._offset : self._offset + min(size, 10_000)]
        self._offset += len(piece)
        with self._source._lock:
            self._source.sent += len(piece)
        return piece


@pytest.fixture
def make_transfers(store):
    def make(**policy: object) -> Transfers:
        rules = {"segment": SEGMENT, "streams": 4, "tries": 4, "pause": 0.001, "stall": 20.0, **policy}
        return Transfers(store.blobs, TransferPolicy(**rules))

    return make


def ignore(_completed: int) -> None:
    """Of progress."""


def stored(store) -> bool:
    return store.blobs.has(DIGEST) and store.blobs.path(DIGEST).read_bytes() == CONTENT


def remains(store) -> list[str]:
    return [path.name for path in store.blobs.folder.iterdir() if path.name.startswith(PREFIX)]


def test_ranges_side_by_side_make_one_blob(store, make_transfers):
    source = Source()
    make_transfers().fetch(BLOB, source.open, ignore)
    assert stored(store)
    assert sorted(source.requests) == [(n * SEGMENT, SEGMENT if n < 10 else 3) for n in range(11)]
    assert remains(store) == []


def test_an_empty_blob_asks_for_nothing(store, make_transfers):
    source, empty = Source(b""), digest_of(b"")
    make_transfers().fetch(BlobSource(digest=empty, size=0), source.open, ignore)
    assert (store.blobs.size(empty), source.requests) == (0, [])


def test_a_broken_connection_goes_on_where_it_broke(store, make_transfers):
    source, broken = Source(), set()

    def breaks_once(offset: int) -> bool | None:
        place = offset // SEGMENT
        if offset % SEGMENT == 50_000 and place not in broken:
            broken.add(place)
            if place % 2:
                raise ConnectionResetError("gone")
            return True
        return None

    source.fault = breaks_once
    make_transfers().fetch(BLOB, source.open, ignore)
    assert stored(store)
    assert (len(broken), source.sent) == (10, len(CONTENT))


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TransientRegistryError("busy", reason="503")])
def test_a_registry_that_fails_again_and_again_is_given_up(store, make_transfers, error):
    source = Source()

    def fails(offset: int) -> None:
        if offset >= SEGMENT:
            raise error

    source.fault = fails
    with pytest.raises(RegistryError, match=f"^max retries exceeded: {error}$"):
        make_transfers(streams=1).fetch(BLOB, source.open, ignore)
    assert len(source.requests) == 1 + 4
    source.fault = ignore
    make_transfers().fetch(BLOB, source.open, ignore)
    assert stored(store)
    assert source.sent == len(CONTENT)


def test_a_final_refusal_is_not_repeated(store, make_transfers):
    source = Source()

    def refuses(_offset: int) -> None:
        raise RegistryError("no")

    source.fault = refuses
    with pytest.raises(RegistryError, match=r"^no$"):
        make_transfers(streams=1).fetch(BLOB, source.open, ignore)
    assert len(source.requests) == 1
    assert remains(store) == []


def test_a_bug_in_a_registry_is_named(make_transfers):
    source = Source()

    def fails(_offset: int) -> None:
        raise ZeroDivisionError("oops")

    source.fault = fails
    with pytest.raises(RegistryError, match="registry failed") as failed:
        make_transfers().fetch(BLOB, source.open, ignore)
    assert "oops" in failed.value.reason


def test_a_stalled_stream_is_asked_for_anew(store, make_transfers):
    source, stalled, release = Source(), Event(), Event()

    def stalls_once(offset: int) -> None:
        if offset == 250_000 and not stalled.is_set():
            stalled.set()
            release.wait()

    source.fault = stalls_once
    make_transfers(stall=0.3).fetch(BLOB, source.open, ignore)
    release.set()
    assert stored(store)
    assert (250_000, 50_000) in source.requests


def test_a_registry_that_always_stalls_is_given_up(store, make_transfers):
    source, release = Source(), Event()
    source.fault = lambda _offset: release.wait() and None
    with pytest.raises(RegistryError, match=r"max retries exceeded: no bytes for 0\.02 s"):
        make_transfers(stall=0.02, streams=2).fetch(BLOB, source.open, ignore)
    release.set()
    assert not store.blobs.has(DIGEST)


def test_a_wrong_blob_is_refused_and_forgotten(store, make_transfers):
    source = Source(CONTENT[:-1] + b"?" if CONTENT[-1:] != b"?" else CONTENT[:-1] + b"!")
    with pytest.raises(RegistryError, match=f"digest mismatch, file must be downloaded again: want {DIGEST}, got "):
        make_transfers().fetch(BLOB, source.open, ignore)
    assert remains(store) == []


def test_what_was_damaged_on_the_disk_is_fetched_again(store, make_transfers):
    source = Source()
    leave_after(make_transfers(streams=1), source, 300_000)
    (partial,) = [path for path in store.blobs.folder.glob(f"{PREFIX}*") if not path.name.endswith(".counts")]
    with partial.open("r+b") as file:
        file.write(b"damaged by a power failure")
    make_transfers().fetch(BLOB, source.open, ignore)
    assert stored(store)
    assert source.sent > len(CONTENT)


def leave_after(transfers: Transfers, source: Source, size: int) -> None:
    """Begin, and leave when `size` bytes were sent."""
    reached, release = Event(), Event()

    def wait(offset: int) -> None:
        if offset >= size:
            reached.set()
            release.wait()

    def leave(_completed: int) -> None:
        if reached.is_set():
            raise LeaveError

    source.fault = wait
    with pytest.raises(LeaveError):
        transfers.fetch(BLOB, source.open, leave)
    transfers.settle()
    source.content, content = b"", source.content
    release.set()
    source.fault, source.content = ignore, content


def test_what_came_before_the_last_one_left_is_not_fetched_again(store, make_transfers):
    source, transfers = Source(), make_transfers(streams=1)
    leave_after(transfers, source, 340_000)
    assert len(remains(store)) == 2
    source.requests.clear()
    sent, told = source.sent, []
    transfers.fetch(BLOB, source.open, told.append)
    assert stored(store)
    assert source.requests[0] == (340_000, 60_000)
    assert source.sent <= len(CONTENT) + 10_000
    assert sent >= 340_000
    assert remains(store) == []


def test_all_who_want_the_same_blob_share_one_download(store, make_transfers):
    source, transfers, begun, release = Source(), make_transfers(), Event(), Event()

    def wait(_offset: int) -> None:
        begun.set()
        release.wait()

    source.fault = wait
    joined = [threading.Event() for _ in range(5)]
    errors: list[RegistryError] = []

    def follow(here: Event) -> None:
        try:
            transfers.fetch(BLOB, source.open, lambda _completed: here.set())
        except RegistryError as error:
            errors.append(error)

    threads = [threading.Thread(target=follow, args=(here,)) for here in joined]
    for thread in threads:
        thread.start()
    assert all(here.wait(30) for here in joined)
    assert begun.is_set()
    release.set()
    for thread in threads:
        thread.join()
    assert (errors, stored(store), source.sent) == ([], True, len(CONTENT))


def test_who_joined_one_that_fails_asks_where_they_were_told_to(store, make_transfers):
    """Else whoever announces a digest and does not have the blob could keep others from having it."""
    bad, good, transfers, joined, release = Source(), Source(), make_transfers(), Event(), Event()

    def refuse(_offset: int) -> None:
        release.wait()
        raise RegistryError("no")

    def pull(url: str, source: Source) -> None:
        blob = msgspec.structs.replace(BLOB, url=url)
        try:
            transfers.fetch(blob, source.open, lambda _: joined.set())
        except RegistryError as error:
            errors.append((url, error.message))

    errors: list[tuple[str, str]] = []
    bad.fault = refuse
    threads = [threading.Thread(target=pull, args=one) for one in (("bad", bad), ("good", good))]
    for thread in threads:
        joined.clear()
        thread.start()
        assert joined.wait(30)
    assert good.requests == []
    release.set()
    for thread in threads:
        thread.join()
    assert (errors, stored(store)) == ([("bad", "no")], True)


def test_one_who_leaves_takes_nothing_from_the_others(store, make_transfers):
    source, transfers, release, joined = Source(), make_transfers(), Event(), Event()
    source.fault = lambda _offset: release.wait() and None
    other = threading.Thread(target=lambda: transfers.fetch(BLOB, source.open, lambda _: joined.set()))
    other.start()
    assert joined.wait(30)

    def leave(_completed: int) -> None:
        raise LeaveError

    with pytest.raises(LeaveError):
        transfers.fetch(BLOB, source.open, leave)
    release.set()
    other.join()
    assert stored(store)


def test_a_source_without_ranges_is_read_from_its_beginning(store, make_transfers):
    source = Source()
    source.only_from_start = True
    make_transfers().fetch(BLOB, source.open, ignore)
    assert stored(store)
    assert source.requests[-1] == (0, len(CONTENT))


def test_no_more_streams_than_allowed_are_open(store, make_transfers):
    source, open_now, most, lock = Source(), 0, 0, threading.Lock()

    @contextmanager
    def counted(blob: BlobSource, offset: int, length: int) -> Iterator[BinaryIO]:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        with source.open(blob, offset, length) as body:
            yield body
        with lock:
            open_now -= 1

    make_transfers(all_streams=2).fetch(BLOB, counted, ignore)
    assert stored(store)
    assert most <= 2


def test_two_large_pulls_leave_a_turn_for_whoever_comes_next(store, make_transfers):
    transfers, release, begun = make_transfers(streams=2, all_streams=1), Event(), Event()
    sources = [Source(), Source(CONTENT[::-1])]

    def wait(_offset: int) -> None:
        begun.set()
        release.wait()

    def pull(source: Source) -> None:
        digest = digest_of(source.content)
        blob = BlobSource(digest=digest, size=len(source.content))
        transfers.fetch(blob, source.open, ignore)

    pulls = [threading.Thread(target=pull, args=(source,)) for source in sources]
    for source, thread in zip(sources, pulls, strict=True):
        source.fault = wait
        thread.start()
    assert begun.wait(30)
    transfers.limits.slots.take(release.set)
    asked = sum(len(source.requests) for source in sources)
    transfers.limits.slots.give_back()
    for thread in pulls:
        thread.join()
    assert asked <= 4  # of 22: each stream that stood in line before
    assert all(store.blobs.has(digest_of(source.content)) for source in sources)


def test_streams_join_while_bytes_are_waited_for(store, make_transfers):
    source, together = Source(), threading.Barrier(4)

    def wait(offset: int) -> None:
        if offset in range(0, 4 * SEGMENT, SEGMENT):
            together.wait(30)

    source.fault = wait
    make_transfers(streams=4).fetch(BLOB, source.open, ignore)
    assert stored(store)


def test_a_limit_of_the_speed_delays_and_loses_nothing(store, make_transfers, monkeypatch):
    with monkeypatch.context() as stopped:
        stopped.setattr("camelid.store.transfer_policy.time", SimpleNamespace(monotonic=lambda: 100.0))
        limits = make_transfers(bandwidth=1_000_000).limits
        assert [limits.delay(500_000) for _ in range(3)] == [0.5, 1.0, 1.5]
    fast, booked = make_transfers(bandwidth=2_000_000_000), []
    delay = fast.limits.delay
    fast.limits.delay = lambda count: booked.append(count) or delay(count)
    fast.fetch(BLOB, Source().open, ignore)
    assert stored(store)
    assert sum(booked) == len(CONTENT)


def test_what_does_not_fit_is_refused_before_the_first_byte(make_transfers):
    with pytest.raises(DiskFullError, match="not enough space for the model"):
        make_transfers().require([msgspec.structs.replace(BLOB, size=1 << 60)])
    make_transfers().require([msgspec.structs.replace(BLOB, size=10)])


def test_two_servers_with_one_store_do_not_disturb_each_other(store, make_transfers):
    source, release, begun = Source(), Event(), Event()

    def wait(_offset: int) -> None:
        begun.set()
        release.wait()

    source.fault = wait
    first = threading.Thread(target=lambda: make_transfers().fetch(BLOB, source.open, ignore))
    first.start()
    assert begun.wait(30)
    make_transfers().fetch(BLOB, Source().open, ignore)
    assert stored(store)
    assert len(remains(store)) == 2
    store.blobs.path(DIGEST).unlink()
    broken = Source()
    broken.fault = lambda offset: offset > 300_000
    with pytest.raises(RegistryError, match="max retries"):
        make_transfers().fetch(BLOB, broken.open, ignore)
    assert len(remains(store)) == 2
    release.set()
    first.join()
    assert (stored(store), remains(store)) == (True, [])


def test_one_who_opens_the_counts_as_another_one_finishes_finds_the_blob(store, make_transfers, monkeypatch):
    """The file of counts is opened before the other one removes it, and locked after that."""
    source, lock, finished = Source(), file_lock._lock, Event()
    release, begun = Event(), Event()

    def wait(_offset: int) -> None:
        begun.set()
        release.wait()

    def lock_late(descriptor: int) -> None:
        if threading.current_thread() is not first and os.fstat(descriptor).st_ino == counts and not finished.is_set():
            release.set()
            first.join()
            finished.set()
        lock(descriptor)

    source.fault = wait
    first = threading.Thread(target=lambda: make_transfers().fetch(BLOB, source.open, ignore))
    first.start()
    assert begun.wait(30)
    (path,) = store.blobs.folder.glob("*.counts")
    counts = path.stat().st_ino
    monkeypatch.setattr(file_lock, "_lock", lock_late)
    late = Source()
    make_transfers().fetch(BLOB, late.open, ignore)
    assert finished.is_set()
    assert (stored(store), remains(store), late.requests) == (True, [], [])


@pytest.mark.parametrize("segments", [0, 4, 10, 11])
def test_what_the_disk_did_not_take_is_not_fetched_again(store, make_transfers, monkeypatch, segments):
    """Whether it fails after a segment, or when all of them are there."""
    source, sync, synced = Source(), os.fsync, []

    def fails(descriptor: int) -> None:
        if len(synced) == segments:
            raise OSError(errno.EIO, "Input/output error")
        synced.append(descriptor)
        sync(descriptor)

    with monkeypatch.context() as broken:
        broken.setattr("camelid.store.transfer_partial.os.fsync", fails)
        with pytest.raises(StoreError, match="Input/output error"):
            make_transfers(streams=1).fetch(BLOB, source.open, ignore)
    assert not store.blobs.has(DIGEST)
    make_transfers().fetch(BLOB, source.open, ignore)
    assert (stored(store), source.sent, remains(store)) == (True, len(CONTENT), [])
