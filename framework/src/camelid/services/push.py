"""Sending a model to a registry (contract 7.9)."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Final

from camelid.contracts.registry import BlobToSend, Registry, TransientRegistryError
from camelid.errors import CamelidError, RegistryError, StoreError
from camelid.services.progress import SUCCESS, Progress
from camelid.services.registries import Registries, broken
from camelid.services.registry_call import Beat, CallRules, Watch, call_registry, sleep
from camelid.services.watched_job import AbandonedError, Report, WatchedJobs
from camelid.store.manifest import Layer
from camelid.store.store import Store
from camelid.store.transfer import Transfers
from camelid.types.names import ModelName

__all__ = ("Push",)

_RETRIEVING: Final = "retrieving manifest"
_NOT_RETRIEVED: Final = "couldn't retrieve manifest"
_PUSHING_MANIFEST: Final = "pushing manifest"
_SHORT_DIGEST: Final = slice(len("sha256:"), len("sha256:") + 12)
_BETWEEN_NEWS: Final = 1 << 20
"""Bytes that a registry sends at most before it says so (`Registry.send`)."""
_PASSING: Final = (OSError, TransientRegistryError)

_log = logging.getLogger(__name__)


class Push:
    """Sends models; whoever sends the same one at the same time shares the work."""

    def __init__(self, store: Store, registries: Registries, transfers: Transfers) -> None:
        """Bind.

        Args:
            store: where models are.
            registries: who takes them.
            transfers: its rules and limits hold here too.
        """
        self._store = store
        self._registries = registries
        self._transfers = transfers
        self._jobs = WatchedJobs()

    async def __call__(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress, None]:
        """Send `name` to where its host says; the last line is `success`. Close the iterator to stop.

        Args:
            name: of a model in the store.
            insecure: send over plain http, and allow names that say `http://`.

        Raises:
            RegistryError: there is no such model, no registry takes it, or the one that should failed.
            StoreError: the model is damaged.
        """
        if name.transport == "http" and not insecure:
            raise RegistryError("insecure protocol http", reason=f"{name} was pushed without `insecure`")
        work = partial(self._send, name, insecure)
        async with aclosing(self._jobs.lines(name, work, insecure=insecure)) as lines:
            async for line in lines:
                yield line

    def _send(self, name: ModelName, insecure: bool, report: Report) -> None:
        """The whole work, in a thread."""
        report(Progress(_RETRIEVING))
        try:
            found = self._store.manifest(name)
        except StoreError:
            report(Progress(_NOT_RETRIEVED))
            raise
        if found is None:
            report(Progress(_NOT_RETRIEVED))
            raise RegistryError(f"model {name.short!r} does not exist", reason="it was to be pushed")
        content, manifest = found
        registry, asked = self._registries.target(name, insecure=insecure)
        _log.info("pushing %s to the registry %s", name, registry.name)
        for layer in {layer.digest: layer for layer in (*manifest.layers, manifest.config)}.values():
            self._send_blob(registry, asked, layer, report)
        tell = partial(report, Progress(_PUSHING_MANIFEST))
        tell()
        self._call(registry, lambda _: registry.publish(asked, content), tell)
        report(Progress(SUCCESS))

    def _send_blob(self, registry: Registry, name: ModelName, layer: Layer, report: Report) -> None:
        status = f"pushing {layer.digest[_SHORT_DIGEST]}"
        size = self._store.blobs.size(layer.digest)
        path = self._store.blobs.path(layer.digest)
        blob = BlobToSend(layer.media_type, layer.digest, size, path, layer.from_)
        limits, sent = self._transfers.limits, 0

        def send(beat: Beat) -> None:
            def on_progress(completed: int) -> None:
                nonlocal sent
                beat()
                # What leaps further was not sent now: the registry had it of an earlier try.
                delay, sent = limits.delay(min(max(0, completed - sent), _BETWEEN_NEWS)), completed
                sleep(delay, beat)

            registry.send(name, blob, on_progress)

        def tell() -> None:
            report(Progress(status, layer.digest, size, sent))

        tell()
        with self._turn(tell):
            self._call(registry, send, tell)
        report(Progress(status, layer.digest, size, size))

    @contextmanager
    def _turn(self, tell: Watch) -> Iterator[None]:
        """One of the slots that all transfers share."""
        slots, patience = self._transfers.limits.slots, self._transfers.policy.patience
        try:
            slots.take(tell, patience=patience)
        except TimeoutError as error:
            raise RegistryError(
                "the server is busy with other transfers: try again later", reason=str(error)
            ) from error
        try:
            yield
        finally:
            slots.give_back()

    def _call(self, registry: Registry, work: Callable[[Beat], None], tell: Watch) -> None:
        policy = self._transfers.policy
        rules = CallRules(patience=policy.patience, tries=policy.tries, pause=policy.pause, passing=_PASSING)
        try:
            call_registry(work, rules, tell)
        except _PASSING as error:
            raise RegistryError(f"max retries exceeded: {error}", reason=f"{registry.name}: {error!r}") from error
        except (CamelidError, AbandonedError):
            raise
        except Exception as error:  # a plugin's bug must not look like one of the server
            raise broken(registry, error) from error
