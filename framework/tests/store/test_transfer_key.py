"""Blobs of which nobody knows the digest before all of them has come."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import SimpleNamespace
from typing import BinaryIO, cast

import msgspec
import pytest

from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource
from camelid.errors import DiskFullError, RegistryError
from camelid.store import transfer_key
from camelid.store.digests import digest_of
from camelid.store.transfer import Transfers
from camelid.store.transfer_partial import PREFIX
from camelid.store.transfer_policy import TransferPolicy

CONTENT = os.urandom(1_000_003)
DIGEST = digest_of(CONTENT)
VERSIONED = BlobSource(digest="", size=len(CONTENT), url="https://host/x", version='"1"')
CHANGING = msgspec.structs.replace(VERSIONED, version="")
ENDLESS = msgspec.structs.replace(VERSIONED, size=UNKNOWN_SIZE)


class LeaveError(Exception):
    """A client goes away."""


class Source:
    """A blob; `fault` is asked before each piece, and may raise, or give something else than the bytes."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.requests: list[int] = []
        self.sent = 0
        self.fault: Callable[[int], bytes | None] = lambda _offset: None
        self._lock = threading.Lock()

    @contextmanager
    def open(self, _blob: BlobSource, offset: int, _length: int) -> Iterator[BinaryIO]:
        with self._lock:
            self.requests.append(offset)
        yield cast("BinaryIO", _Body(self, offset))


class _Body:
    def __init__(self, source: Source, offset: int) -> None:
        self._source = source
        self._offset = offset

    def read(self, size: int) -> bytes:
        instead = self._source.fault(self._offset)
        if instead is not None:
            return instead
        piece = self._source.content[self._offset : self._offset + min(size, 10_000)]
        self._offset += len(piece)
        with self._source._lock:
            self._source.sent += len(piece)
        return piece


@pytest.fixture
def make_transfers(store):
    def make(**policy: object) -> Transfers:
        rules = {"segment": 100_000, "streams": 4, "tries": 4, "pause": 0.001, "stall": 20.0, **policy}
        return Transfers(store.blobs, TransferPolicy(**rules))

    return make


def ignore(_completed: int) -> None:
    """Of progress."""


def remains(store) -> list[str]:
    return [path.name for path in store.blobs.folder.iterdir() if path.name.startswith(PREFIX)]


def breaks_once(at: int) -> Callable[[int], bytes | None]:
    broken = Event()

    def fault(offset: int) -> bytes | None:
        if offset >= at and not broken.is_set():
            broken.set()
            raise ConnectionResetError("gone")
        return None

    return fault


def leave_after(transfers: Transfers, source: Source, blob: BlobSource, size: int) -> None:
    """Begin, and leave when `size` bytes were sent."""
    reached, release = Event(), Event()

    def wait(offset: int) -> bytes | None:
        if offset < size:
            return None
        reached.set()
        release.wait()
        return b""

    def leave(_completed: int) -> None:
        if reached.is_set():
            raise LeaveError

    source.fault = wait
    with pytest.raises(LeaveError):
        transfers.fetch(blob, source.open, leave)
    transfers.settle()
    release.set()
    source.fault = lambda _offset: None


@pytest.mark.parametrize("blob", [VERSIONED, CHANGING, ENDLESS])
def test_the_digest_is_known_at_the_end(store, make_transfers, blob):
    source = Source()
    assert make_transfers().fetch(blob, source.open, ignore) == DIGEST
    assert store.blobs.path(DIGEST).read_bytes() == CONTENT
    assert len(source.requests) == (11 if blob is VERSIONED else 1)
    assert remains(store) == []


def test_parts_of_one_version_are_put_together(store, make_transfers):
    source = Source()
    source.fault = breaks_once(350_000)
    assert make_transfers(streams=1).fetch(VERSIONED, source.open, ignore) == DIGEST
    assert source.sent == len(CONTENT)


@pytest.mark.parametrize("blob", [CHANGING, ENDLESS])
def test_what_may_be_another_file_each_time_is_read_again_from_its_beginning(store, make_transfers, blob):
    source = Source()
    source.fault = breaks_once(350_000)
    assert make_transfers().fetch(blob, source.open, ignore) == DIGEST
    assert source.requests == [0, 0]


def test_one_that_always_breaks_is_given_up(store, make_transfers):
    source = Source()

    def fault(offset: int) -> bytes | None:
        if offset >= 350_000:
            raise ConnectionResetError("gone")
        return None

    source.fault = fault
    with pytest.raises(RegistryError, match="max retries exceeded: the connection broke, and nothing tells whether"):
        make_transfers().fetch(ENDLESS, source.open, ignore)
    assert remains(store) == []


def test_what_has_no_end_does_not_fill_the_disk(store, make_transfers, monkeypatch):
    source, free = Source(), iter(range(2 << 30, 0, -100_000_000))
    source.fault = lambda _offset: bytes(10_000)
    monkeypatch.setattr(
        "camelid.store.transfer_partial.shutil.disk_usage", lambda _folder: SimpleNamespace(free=next(free))
    )
    with pytest.raises(DiskFullError, match=r"a file of unknown length: 0\.0 GB of it came, and 1\.0 GB are free"):
        make_transfers().fetch(ENDLESS, source.open, ignore)
    assert remains(store) == []


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_length_that_was_announced_must_be_right(store, make_transfers, size):
    blob = msgspec.structs.replace(VERSIONED, size=size)
    with pytest.raises(RegistryError, match=r"more than it announced|max retries exceeded"):
        make_transfers().fetch(blob, Source().open, ignore)
    assert not store.blobs.has(DIGEST)


def test_what_came_of_a_version_is_not_fetched_again(store, make_transfers):
    source = Source()
    leave_after(make_transfers(streams=1), source, VERSIONED, 340_000)
    assert len(remains(store)) == 2
    assert make_transfers().fetch(VERSIONED, source.open, ignore) == DIGEST
    assert source.sent == len(CONTENT)
    assert remains(store) == []


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(VERSIONED, version='"2"'),
        msgspec.structs.replace(VERSIONED, url="https://host/y"),
        msgspec.structs.replace(VERSIONED, size=len(CONTENT) - 3),
    ],
)
def test_what_came_of_another_version_is_left_alone(store, make_transfers, other):
    leave_after(make_transfers(streams=1), Source(), VERSIONED, 340_000)
    source = Source(CONTENT[::-1][: other.size])
    assert make_transfers().fetch(other, source.open, ignore) == digest_of(source.content)
    assert source.sent == other.size
    assert len(remains(store)) == 2


@pytest.mark.parametrize("blob", [CHANGING, ENDLESS])
def test_of_what_may_change_nothing_is_kept(store, make_transfers, blob):
    leave_after(make_transfers(), Source(), blob, 340_000)
    assert remains(store) == []


def test_what_was_written_before_the_machine_started_is_left_alone(store, make_transfers, monkeypatch):
    source = Source()
    leave_after(make_transfers(streams=1), source, VERSIONED, 340_000)
    before = source.sent
    monkeypatch.setattr(transfer_key, "_start_of_machine", lambda: "later")
    assert make_transfers().fetch(VERSIONED, source.open, ignore) == DIGEST
    assert source.sent == before + len(CONTENT)


@pytest.mark.parametrize("blob", [VERSIONED, CHANGING, ENDLESS])
def test_all_who_want_it_share_one_download(store, make_transfers, blob):
    source, transfers, release, found = Source(), make_transfers(), Event(), []
    joined = [Event(), Event()]

    def wait(_offset: int) -> None:
        release.wait()

    def join(here: Event) -> None:
        found.append(transfers.fetch(blob, source.open, lambda _: here.set()))

    source.fault = wait
    threads = [threading.Thread(target=join, args=(here,)) for here in joined]
    for thread in threads:
        thread.start()
    assert all(here.wait(30) for here in joined)
    release.set()
    for thread in threads:
        thread.join()
    assert (found, source.sent) == ([DIGEST, DIGEST], len(CONTENT))


def test_what_does_not_fit_is_refused_before_the_first_byte(make_transfers):
    with pytest.raises(DiskFullError, match="not enough space for the model"):
        make_transfers().require([msgspec.structs.replace(VERSIONED, size=1 << 60)])
    make_transfers().require([ENDLESS, VERSIONED])
