"""Loading one model: making room for it, starting its worker, trying smaller when memory runs out."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from camelid.contracts.placement import Placement, WorkerSpec
from camelid.engine.client import WorkerClient
from camelid.engine.fleet import Fleet
from camelid.engine.quarantine import Quarantine
from camelid.engine.request import LoadRequest, RunningModel
from camelid.engine.runner import Key, Runner, expiry
from camelid.engine.sizing import fewer_layers, lower_context, predicted_memory, resolve_options, satisfies
from camelid.errors import AcceleratorMemoryError, ModelMemoryError, PluginLoadError, RequestError, WorkerDiedError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.settings import Settings
from camelid.types.loading import LoadOptions

__all__ = ("Loader", "Wish")

AUTOMATIC_MODELS: Final = 3
"""Models in memory at once, where the settings do not say (contract 16.5)."""
MEMORY_SHARE: Final = 0.8
"""Of the free memory: what a model may take beside others (contract 16.5)."""


class Wish(msgspec.Struct, frozen=True, eq=False):
    """A model that somebody wants, and the backend that was chosen for it."""

    request: LoadRequest
    backend: RegisteredBackend
    keep_alive: float | None
    granted: "asyncio.Future[Runner]"
    reason: str = ""
    """Why that backend was chosen."""

    @property
    def key(self) -> Key:
        """Which runner it wants."""
        return (self.request.artifact.key, self.backend.name)


class Loader:
    """Brings one model at a time into memory."""

    def __init__(
        self,
        fleet: Fleet,
        quarantine: Quarantine,
        placement: Placement,
        settings: Settings,
        available: Callable[[], int],
        *,
        catalog: Catalog,
    ) -> None:
        self._fleet = fleet
        self._quarantine = quarantine
        self._placement = placement
        self._settings = settings
        self._available = available
        self._catalog = catalog
        self._loading: tuple[Wish, LoadOptions] | None = None

    def check(self, wish: Wish) -> None:
        """Refuse what cannot be loaded.

        Raises:
            PluginLoadError: the backend's plugin is broken since it was edited.
            RequestError: the backend refuses one of its options, or there is no such tokenizer.
        """
        if wish.backend.broken:
            raise PluginLoadError(
                f"the plugin {wish.backend.plugin} was edited and is broken: {wish.backend.broken}",
                plugin=wish.backend.distribution,
            )
        wanted = wish.request.options.tokenizer
        if wanted and wanted not in self._catalog.tokenizers:
            choice = ", ".join(self._catalog.tokenizers) or "none; pip install camelid-tokenizers"
            raise RequestError(f'option "tokenizer": there is no tokenizer plugin {wanted!r}; there are: {choice}')
        resolve_options(wish.request, self._settings, wish.backend.descriptor, available=0)

    def fits(self, wish: Wish, runner: Runner) -> bool:
        """Whether a loaded model will do for a wish (contract 16.3)."""
        same = wish.key == runner.key and wish.backend.revision == runner.revision
        return same and self._suits(wish, runner.request, runner.options)

    def shares(self, wish: Wish, other: Wish) -> bool:
        """Whether loading for `other` will do for `wish` too."""
        if wish.key != other.key or wish.backend.revision != other.backend.revision:
            return False
        options = resolve_options(other.request, self._settings, other.backend.descriptor, available=0)
        return self._suits(wish, other.request, options)

    def _suits(self, wish: Wish, loaded_for: LoadRequest, options: LoadOptions) -> bool:
        asked, descriptor = loaded_for.options, wish.backend.descriptor
        return satisfies(wish.request, self._settings, descriptor, asked=asked, loaded=options)

    def in_progress(self) -> RunningModel | None:
        """The model that is being loaded, as `/api/ps` shows it."""
        if self._loading is None:
            return None
        wish, options = self._loading
        keep_alive = self._settings.keep_alive if wish.keep_alive is None else wish.keep_alive
        return RunningModel(
            name=wish.request.name,
            digest=wish.request.digest,
            backend=wish.backend.name,
            size=predicted_memory(wish.request, options),
            size_vram=0,
            context_length=options.context_length,
            expires_at=expiry(keep_alive),
            config=wish.request.artifact.config,
            backend_reason=wish.reason,
        )

    async def fulfil(self, wish: Wish) -> Runner:
        """A usable runner for the wish: one that is there, or a new one in its place.

        Raises:
            WorkerQuarantinedError: the model's workers died too often.
            WorkerError: its worker could not be started, or died.
            ModelError: the model could not be loaded.
        """
        while (runner := self._fleet.get(wish.key)) is not None:
            if runner.usable and self.fits(wish, runner):
                return runner
            await self._fleet.retire(runner)
        self._quarantine.check(wish.key, wish.request.name)
        descriptor = wish.backend.descriptor
        options = resolve_options(wish.request, self._settings, descriptor, available=await self._free())
        try:
            runner = await self._load(wish, options)
        finally:
            self._loading = None
        self._fleet.add(runner)
        return runner

    async def _load(self, wish: Wish, options: LoadOptions) -> Runner:
        """Load, and after running out of memory do so again with less (contract 16.6)."""
        while True:
            self._loading = (wish, options)
            await self._make_room(wish, options)
            try:
                return await self._start(wish, options)
            except ModelMemoryError as error:
                others = self._fleet.others(wish.key)
                smaller = _smaller(options, wish.request, error)
                if not others and smaller is None:
                    raise
                for runner in others:
                    await self._fleet.retire(runner)
                if not others and smaller is not None:
                    options = smaller

    async def _start(self, wish: Wish, options: LoadOptions) -> Runner:
        backend = wish.backend
        spec = WorkerSpec(backend.name, backend.plugin, wish.request.artifact, options, self._catalog.tokenizers)
        try:
            client = await WorkerClient.start(self._placement, spec, timeout=self._settings.load_timeout)
        except WorkerDiedError as error:
            self._quarantine.record(wish.key, error.reason.partition("\n")[0])
            raise
        keep_alive = self._settings.keep_alive if wish.keep_alive is None else wish.keep_alive
        return Runner(
            wish.key, wish.request, options, client, keep_alive, reason=wish.reason, revision=backend.revision
        )

    async def _make_room(self, wish: Wish, options: LoadOptions) -> None:
        """Evict others until there are few enough and memory is predicted to suffice (contract 16.5).

        A model that is alone is always tried.
        """
        most = self._settings.max_loaded_models or AUTOMATIC_MODELS
        needed = predicted_memory(wish.request, options)
        while others := self._fleet.others(wish.key):
            if len(others) < most and needed <= MEMORY_SHARE * await self._free():
                return
            await self._evict_one(wish.key)

    async def _evict_one(self, newcomer: Key) -> None:
        """Unload an idle runner. If there is none, keep leases off the first in line until one is, or one is gone."""
        others = self._fleet.others(newcomer)

        def idle() -> list[Runner]:
            return [runner for runner in others if runner.idle or runner.closing is not None]

        with self._fleet.held(min(others, key=lambda runner: runner.eviction_order)):
            await self._fleet.changed.wait_for(lambda: bool(idle()) or self._fleet.others(newcomer) != others)
            if not idle():
                return
            closing = self._fleet.unload(min(idle(), key=lambda runner: runner.eviction_order))
        await asyncio.shield(closing)

    async def _free(self) -> int:
        """Bytes of memory that are free now; asking the system is blocking work."""
        return await asyncio.to_thread(self._available)


def _smaller(options: LoadOptions, request: LoadRequest, error: ModelMemoryError) -> LoadOptions | None:
    """What to try after memory ran out, of what the request left open; None if there is nothing."""
    smaller = None
    if isinstance(error, AcceleratorMemoryError) and request.options.num_gpu is None:
        smaller = fewer_layers(options, request.layers)
    if smaller is None and request.options.num_ctx is None:
        smaller = lower_context(options)
    return smaller
