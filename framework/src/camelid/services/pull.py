"""Fetching a model from where it comes from (contract 7.8)."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Final

from camelid.errors import RegistryError, StoreError
from camelid.services.progress import SUCCESS, WRITING_MANIFEST, Progress
from camelid.services.registries import Registries
from camelid.services.watched_job import Report, WatchedJobs
from camelid.store import media_types
from camelid.store.install import install
from camelid.store.store import Store
from camelid.store.transfer import Transfers
from camelid.types.names import ModelName

__all__ = ("Pull",)

_PULLING_MANIFEST: Final = "pulling manifest"
_VERIFYING: Final = "verifying sha256 digest"
_REMOVING: Final = "removing unused layers"
_UNHASHED: Final = "pulling file"
"""One of unknown digest, until all of it has been read."""
_SHORT_DIGEST: Final = slice(len("sha256:"), len("sha256:") + 12)

_log = logging.getLogger(__name__)


class Pull:
    """Fetches models; whoever asks for the same one at the same time shares the work."""

    def __init__(self, store: Store, registries: Registries, transfers: Transfers | None = None) -> None:
        """Bind.

        Args:
            store: where models go.
            registries: who is asked.
            transfers: of that store; None for the usual rules.
        """
        self._store = store
        self._registries = registries
        self._transfers = Transfers(store.blobs) if transfers is None else transfers
        self._jobs = WatchedJobs()

    async def __call__(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress, None]:
        """Fetch `name`; the last line is `success`. Close the iterator to stop, if nobody else waits for the same.

        What was fetched of it stays for a while: the next pull goes on from there.

        Args:
            name: of the model; it is stored under the same.
            insecure: ask over plain http, and allow names that say `http://`.

        Raises:
            RegistryError: no registry knows the name, it is not to be asked over plain http, or the registry that knows
                it failed or gave what it did not announce.
            CamelidError: the model could not be stored.
        """
        if name.transport == "http" and not insecure:
            raise RegistryError("insecure protocol http", reason=f"{name} was pulled without `insecure`")
        work = partial(self._fetch, name, insecure)
        async with aclosing(self._jobs.lines(name, work, insecure=insecure)) as lines:
            async for line in lines:
                yield line

    def _fetch(self, name: ModelName, insecure: bool, report: Report) -> None:
        """The whole work, in a thread."""
        tell = partial(report, Progress(_PULLING_MANIFEST))
        tell()
        known = self._registries.resolve(name, insecure=insecure, watch=tell)
        if any(layer.media_type == media_types.TENSOR for layer in known.model.layers):
            raise RegistryError("this model requires MLX support, but the MLX runtime is not available")
        _log.info("pulling %s from the registry %s", name, known.registry.name)

        def on_progress(digest: str, total: int, completed: int) -> None:
            status = f"pulling {digest[_SHORT_DIGEST]}" if digest else _UNHASHED
            report(Progress(status, digest, total, completed))

        before = self._digests(name)
        install(self._store, name, known.model, known.open_range, on_progress, transfers=self._transfers)
        # Each blob is verified as it arrives and the manifest is written last; the lines are what clients know.
        report(Progress(_VERIFYING))
        report(Progress(WRITING_MANIFEST))
        if any(not self._store.blobs.has(digest) for digest in before):
            report(Progress(_REMOVING))
        report(Progress(SUCCESS))

    def _digests(self, name: ModelName) -> frozenset[str]:
        """The blobs of what has that name now."""
        try:
            model = self._store.find(name)
        except StoreError:  # what is broken is about to be healed
            return frozenset()
        return frozenset() if model is None else model.manifest.digests
