"""One blob on its way in: ranges side by side, each tried again where it broke, and hashed as the beginning grows.

One stream begins, and more come only while the hash waits for bytes. Where one alone is as fast as the hash, more would
only let it fall behind: they fill what lies ahead of it instead of what it wants next.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from threading import Condition, Lock, Thread
from typing import Final, Protocol

from camelid.contracts.registry import BlobSource, BlobStream, OnlyFromStartError, TransientRegistryError
from camelid.errors import CamelidError, RegistryError
from camelid.store.transfer_partial import Partial
from camelid.store.transfer_policy import Limits, TransferPolicy

__all__ = ("Download", "OpenRange")

_HASHED_AT_ONCE: Final = 1 << 20
_LONGEST_WAIT: Final = 0.2
"""Seconds between two looks at streams that may have stalled."""
_IDLE_BEFORE_MORE: Final = 0.2
"""Seconds that the hash has waited for bytes before there are more streams."""
_PROGRESS: Final = 1 << 20
"""Bytes after which a range counts as getting on, so that its tries are counted anew."""

_log = logging.getLogger(__name__)


class OpenRange(Protocol):
    """`Registry.open_range` of the registry that resolved a model."""

    def __call__(self, blob: BlobSource, offset: int, length: int, /) -> BlobStream:
        """The bytes from `offset` on."""
        ...


class _Stream:
    """A thread that reads ranges. Once abandoned it changes nothing any more, whenever its read returns."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.abandoned = False
        self.segment: int | None = None
        self.heard = 0.0
        """When it last got on, by the monotonic clock; 0 while it waits for no byte."""
        self.holds_slot = False


class _AbandonedError(Exception):
    """The stream's work is done by another one, or by nobody any more."""


class Download:
    """Fetches what is missing of a blob. `run` blocks until all is here and has the right digest, if that is known."""

    def __init__(
        self,
        blob: BlobSource,
        partial: Partial,
        open_range: OpenRange,
        *,
        policy: TransferPolicy,
        limits: Limits,
    ) -> None:
        self._blob = blob
        self._called = blob.digest or "a file of unknown digest"
        self._partial = partial
        self._open_range = open_range
        self._policy = policy
        self._limits = limits
        self._changed = Condition()
        self._stopped = False
        self._error: BaseException | None = None
        self._waiting: list[int] = []
        self._awaited = 0
        """The end of what is hashed next."""
        self._streams: set[_Stream] = set()
        self._tries: Counter[int] = Counter()

    @property
    def completed(self) -> int:
        """Bytes that are here."""
        return self._partial.completed

    def cancel(self) -> None:
        """Let `run` return soon; what is here stays for a later try."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self) -> str | None:
        """Fetch and verify.

        Returns:
            The digest of the blob, which is whole; None if it was cancelled.

        Raises:
            RegistryError: the registry failed too often, or gave what it did not announce. Bytes that may be right are
                kept for a later try; a blob with a wrong digest is not.
            DiskFullError: no room; what is here is kept.
        """
        from_start = 0
        resumed = self._partial.completed > 0
        while True:
            try:
                got = self._run_once()
            except OnlyFromStartError as error:
                from_start += 1
                if from_start > self._policy.tries:
                    raise RegistryError(f"max retries exceeded: {error}", reason=error.reason) from error
                self._partial.reset(self._partial.size)
                continue
            if got is None or got == (self._blob.digest or got):
                return got
            self._partial.reset(self._policy.segment)
            if not resumed:
                raise RegistryError(
                    f"digest mismatch, file must be downloaded again: want {self._blob.digest}, got {got}",
                    reason=self._blob.url.partition("?")[0],
                )
            # What an earlier try left may have been damaged, by a power failure for example.
            _log.warning("the part of %s that was here is damaged: all of it is fetched again", self._called)
            resumed = False

    def _run_once(self) -> str | None:
        """The digest of what was fetched; None if it was cancelled."""
        self._error = None
        self._tries.clear()
        self._waiting = self._partial.missing
        try:
            return self._hash()
        finally:
            for stream in self._open_streams():
                self._abandon(stream)

    def _hash(self) -> str | None:
        """Follow the streams with the hash until the end."""
        buffer = bytearray(_HASHED_AT_ONCE)
        hashed, done, idle = sha256(), 0, _IDLE_BEFORE_MORE
        while done < self._partial.size or self._open_streams():
            if idle >= _IDLE_BEFORE_MORE:
                self._start_more()
                idle = 0.0
            if self._stopped:
                return None
            if self._error is not None:
                raise self._error
            self._replace_stalled()
            self._awaited = min(done + _HASHED_AT_ONCE, self._partial.size)
            if self._partial.frontier < self._awaited or done == self._partial.size:
                idle += self._pause(done)  # little bites would keep the streams from reading
                continue
            for piece in self._partial.read(done, self._awaited, buffer):
                hashed.update(piece)
                done += len(piece)
        if self._error is not None:
            raise self._error
        return f"sha256:{hashed.hexdigest()}"

    def _open_streams(self) -> tuple[_Stream, ...]:
        with self._changed:
            return tuple(self._streams)

    def _pause(self, done: int) -> float:
        """Wait for what is hashed next, or after the end for the streams; the seconds that it took."""
        begun = time.monotonic()
        with self._changed:
            going_on = self._error is None and not self._stopped
            if going_on and (self._streams if done == self._partial.size else self._partial.frontier < self._awaited):
                self._changed.wait(_LONGEST_WAIT)
        return time.monotonic() - begun

    def _start_more(self) -> None:
        """Double the streams, up to as many as there may be."""
        with self._changed:
            now = len(self._streams)
            more = min(max(1, now), self._policy.streams - now, len(self._waiting))
        for _ in range(more):
            self._start_stream()

    def _replace_stalled(self) -> None:
        now = time.monotonic()
        for stream in self._open_streams():
            if stream.heard and now - stream.heard > self._policy.stall:
                self._abandon(stream)
                segment = stream.segment  # only now: it takes no other any more
                if segment is not None and self._partial.rest(segment)[1]:
                    _log.warning("no bytes of %s for %g s: asking again", self._called, self._policy.stall)
                    with self._changed:
                        self._waiting.insert(0, segment)
                    try:
                        self._count_try(segment, TimeoutError(f"no bytes for {self._policy.stall:g} s"))
                    except RegistryError as error:
                        self._fail(error)
                self._start_stream()

    def _start_stream(self) -> None:
        stream = _Stream()
        with self._changed:
            self._streams.add(stream)
        # A daemon: a read that never returns must not keep the server from ending.
        Thread(target=self._work, args=(stream,), name="transfer", daemon=True).start()

    def _abandon(self, stream: _Stream) -> None:
        with stream.lock:
            stream.abandoned = True
            self._give_back(stream)
        with self._changed:
            self._streams.discard(stream)

    def _give_back(self, stream: _Stream) -> None:
        """The stream's slot, with its lock held."""
        if stream.holds_slot:
            stream.holds_slot = False
            self._limits.slots.give_back()

    def _work(self, stream: _Stream) -> None:
        """A thread: one segment after the other."""
        try:
            while (segment := self._next(stream)) is not None:
                self._fetch(stream, segment)
                self._sync(stream)
                with self._changed:
                    self._changed.notify_all()
        except _AbandonedError:
            pass
        except BaseException as error:  # noqa: BLE001 - whoever runs the download raises it, whatever it is
            if not stream.abandoned:
                self._fail(error)
        finally:
            self._abandon(stream)
            with self._changed:
                self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, Exception) and not isinstance(error, CamelidError):
            named = RegistryError("the registry failed; see the server's log", reason=repr(error))
            named.__cause__ = error
            error = named
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _next(self, stream: _Stream) -> int | None:
        with self._changed:
            # An abandoned stream must not take what is waiting for those that came after it.
            if stream.abandoned or self._stopped or self._error is not None or not self._waiting:
                return None
            stream.segment = self._waiting.pop(0)
            return stream.segment

    def _fetch(self, stream: _Stream, segment: int) -> None:
        """All of a segment, however often the connection breaks."""
        while self._partial.rest(segment)[1]:
            before = self._partial.rest(segment)[0]
            self._take_slot(stream)
            try:
                self._read(stream, segment)
            except (OSError, TransientRegistryError) as error:
                if self._partial.rest(segment)[0] - before >= _PROGRESS:
                    self._tries[segment] = 0
                broken = error
            else:
                return
            finally:
                with stream.lock:
                    stream.heard = 0.0
                    self._give_back(stream)
            self._wait(stream, self._count_try(segment, broken))

    def _count_try(self, segment: int, error: Exception) -> float:
        """Seconds to wait before the next try.

        Raises:
            RegistryError: there were enough.
        """
        self._tries[segment] += 1
        tries = self._tries[segment]
        _log.info("%s, try %d: %s", self._called, tries, error)
        if tries >= self._policy.tries:
            reason = error.reason if isinstance(error, CamelidError) else repr(error)
            raise RegistryError(f"max retries exceeded: {error}", reason=reason) from error
        return self._policy.pause_after(tries)

    def _take_slot(self, stream: _Stream) -> None:
        self._limits.slots.take(lambda: self._wait(stream, 0))
        with stream.lock:
            stream.holds_slot = True
            stream.heard = time.monotonic()
            if stream.abandoned:
                self._give_back(stream)
                raise _AbandonedError

    def _wait(self, stream: _Stream, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                if self._stopped or self._error is not None or stream.abandoned:
                    raise _AbandonedError
                rest = until - time.monotonic()
                if rest <= 0:
                    return
                self._changed.wait(rest)

    def _read(self, stream: _Stream, segment: int) -> None:
        offset, rest = self._partial.rest(segment)
        at_end = offset + rest == self._partial.size
        with self._open_range(self._blob, offset, rest) as source:
            while rest:
                chunk = source.read(min(rest, self._limits.read_size))
                if not chunk:
                    if self._partial.end():
                        break
                    raise ConnectionError(f"the connection ended {rest} bytes too early")
                self._take(stream, segment, chunk)
                rest -= len(chunk)
            if at_end and self._beyond(source.read):
                raise RegistryError(
                    "the registry sends more than it announced",
                    reason=f"{self._called} has more than {self._partial.size} bytes",
                )

    def _beyond(self, read: Callable[[int], bytes]) -> bytes:
        """What comes after the end; a connection that breaks there does no harm."""
        with suppress(OSError):
            return read(1)
        return b""

    def _take(self, stream: _Stream, segment: int, chunk: bytes) -> None:
        with stream.lock:
            if stream.abandoned:
                raise _AbandonedError
            stream.heard = 0.0
            self._partial.write(segment, chunk)
            end = self._partial.rest(segment)[0]
        if end - len(chunk) < self._awaited <= end:
            with self._changed:
                self._changed.notify_all()
        self._wait(stream, self._limits.delay(len(chunk)))
        stream.heard = time.monotonic()

    def _sync(self, stream: _Stream) -> None:
        """Bring a segment to the disk while others are read and hashed: else all would be left for the end."""
        with stream.lock:
            if stream.abandoned:
                raise _AbandonedError
            self._partial.sync()
