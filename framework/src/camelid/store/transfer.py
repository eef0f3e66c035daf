"""Fetching blobs for all who want them: one download for each blob, however many pulls need it."""

import shutil
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread

from camelid.contracts.registry import BlobSource, BlobStream, OnlyFromStartError
from camelid.errors import DiskFullError, RegistryError, StoreError
from camelid.store.blobs import BlobStore
from camelid.store.durable import disk_errors
from camelid.store.transfer_download import Download, OpenRange
from camelid.store.transfer_key import download_key, is_versioned, partial_key
from camelid.store.transfer_partial import Partial, kept_bytes
from camelid.store.transfer_policy import SECONDS_BETWEEN_NEWS, Limits, TransferPolicy

__all__ = ("Transfers",)


class Transfers:
    """All downloads into one store. Every method may block and may be called from any thread."""

    def __init__(self, blobs: BlobStore, policy: TransferPolicy | None = None) -> None:
        self._blobs = blobs
        self.policy = TransferPolicy() if policy is None else policy
        self.limits = Limits(self.policy)
        self._lock = Lock()
        self._jobs: dict[tuple[str, int, str], _Job] = {}

    def require(self, blobs: Iterable[BlobSource]) -> None:
        """See that there is room, before the first byte.

        Args:
            blobs: what will be fetched; what an earlier try left of them needs no room.

        Raises:
            DiskFullError: there is not.
        """
        wanted: dict[str, BlobSource] = {}
        for blob in blobs:
            key = download_key(blob)
            wanted[key] = max(blob, wanted.get(key, blob), key=lambda blob: blob.size)
        need = sum(map(self._missing, wanted.values()))
        with self._lock:
            others = [job.blob for (key, *_), job in self._jobs.items() if key not in wanted]
        promised = sum(map(self._missing, others))
        folder = self._blobs.folder
        with disk_errors(folder):
            free = shutil.disk_usage(folder).free
        left = max(0, free - promised)
        if need > left:
            raise DiskFullError(
                f"not enough space for the model: {need / 1e9:.1f} GB are needed and {left / 1e9:.1f} GB are free; "
                "remove models, or let OLLAMA_MODELS name a folder on a larger disk",
                reason=f"in {folder}, with {promised} bytes of other downloads to come",
            )

    def fetch(self, blob: BlobSource, open_range: OpenRange, on_progress: Callable[[int], None]) -> str:
        """Bring one blob into the store, together with all who want the same.

        Args:
            blob: where it is; its digest, if known, in the canonical form.
            open_range: how to read it. Who joins a download reads what another one opened, and only if that fails what
                is at an address of their own.
            on_progress: called with the bytes that are here, again and again; may raise to leave. When the last one
                leaves, the download ends, and a later one goes on from there.

        Returns:
            Its digest.

        Raises:
            RegistryError: the registry failed too often, or gave what it did not announce.
            DiskFullError: no room.
        """
        job = self._follow(blob, open_range, on_progress)
        if isinstance(job.error, RegistryError) and job.blob.url != blob.url:
            job = self._follow(blob, open_range, on_progress, only_from=blob.url)
        if job.error is not None:
            raise job.error
        return job.digest

    def _follow(
        self, blob: BlobSource, open_range: OpenRange, on_progress: Callable[[int], None], *, only_from: str = ""
    ) -> "_Job":
        """Wait for the download of a blob, which begins unless it runs: it has ended. `only_from` says an address."""
        key = (download_key(blob), blob.size, only_from)
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.given_up:
                job = self._jobs[key] = _Job(self._work(blob, open_range), blob, self._forget, after=job)
            job.followers += 1
        try:
            while not job.ended.wait(SECONDS_BETWEEN_NEWS):
                on_progress(job.completed)
        finally:
            with self._lock:
                job.followers -= 1
                if not job.followers:
                    job.give_up()
        return job

    def settle(self) -> None:
        """Wait until no download runs; for those who know that nobody wants one any more."""
        while True:
            with self._lock:
                jobs = tuple(self._jobs.values())
            if not jobs:
                return
            for job in jobs:
                job.ended.wait()

    def _forget(self, job: "_Job") -> None:
        with self._lock:
            self._jobs = {key: other for key, other in self._jobs.items() if other is not job}

    def _missing(self, blob: BlobSource) -> int:
        """Bytes that are still to come, as far as that is known."""
        return max(0, blob.size - kept_bytes(self._blobs.folder, partial_key(blob)))

    def _work(self, blob: BlobSource, open_range: OpenRange) -> Callable[["_Job"], None]:
        """What a job's thread does."""
        if is_versioned(blob):
            opened, segment = open_range, self.policy.segment
        else:
            opened, segment = _from_start(open_range), blob.size

        def work(job: _Job) -> None:
            partial = Partial(self._blobs.folder, partial_key(blob), blob.size, segment)
            keep = True
            try:
                if blob.digest and self._blobs.touch(
                    blob.digest, size=blob.size
                ):  # another process has just finished it
                    keep, job.digest = False, blob.digest
                    return
                download = Download(blob, partial, opened, policy=self.policy, limits=self.limits)
                job.watch(download)
                found = download.run()
                if found is not None:
                    partial.finish()
                    self._blobs.keep(partial.path, found)
                    keep, job.digest = False, found
            except BaseException as error:
                # What came stays when the disk fails to take it: a full one may have room, and a share of another
                # machine be there again, at the next try, which hashes all of it before it believes it.
                # All bytes and another error: what is here is not what was announced.
                whole = partial.completed == partial.size
                keep = partial.completed > 0 and (isinstance(error, StoreError) or not whole)
                raise
            finally:
                partial.close(keep=keep and is_versioned(blob))

        return work


def _from_start(open_range: OpenRange) -> OpenRange:
    """The same for a blob that may be another one each time: nothing is put together of two readings."""

    def opened(blob: BlobSource, offset: int, length: int, /) -> BlobStream:
        if offset:
            raise OnlyFromStartError("the connection broke, and nothing tells whether the file is still the same")
        return open_range(blob, offset, length)

    return opened


class _Job:
    """One download and those who wait for it."""

    def __init__(
        self,
        work: Callable[["_Job"], None],
        blob: BlobSource,
        on_end: Callable[["_Job"], None],
        *,
        after: "_Job | None",
    ) -> None:
        """Start it, once the one `after` which it comes has let go of the file."""
        self._work = work
        self._on_end = on_end
        self._after = after
        self._download: Download | None = None
        self._lock = Lock()
        self.blob = blob
        self.digest = ""
        """Of the blob, once it is in the store."""
        self.followers = 0
        self.given_up = False
        self.ended = Event()
        self.error: BaseException | None = None
        Thread(target=self._run, name="download", daemon=True).start()

    @property
    def completed(self) -> int:
        """Bytes that are here."""
        download = self._download
        return 0 if download is None else download.completed

    def watch(self, download: Download) -> None:
        """The work has begun."""
        with self._lock:
            self._download = download
            if self.given_up:
                download.cancel()

    def give_up(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self.given_up = True
            if self._download is not None:
                self._download.cancel()

    def _run(self) -> None:
        if self._after is not None:
            self._after.ended.wait()
            self._after = None
        try:
            self._work(self)
        except BaseException as error:  # noqa: BLE001 - all who wait for it raise it, whatever it is
            self.error = error
        finally:
            self._on_end(self)
            self.ended.set()
