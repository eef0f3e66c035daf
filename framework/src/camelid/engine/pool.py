"""The pool of loaded models: who gets one, who waits, who is refused (contract 16)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from camelid.engine.account import Account
from camelid.engine.choosing import BackendChooser, ModelNeeds
from camelid.engine.client import WorkerClient
from camelid.engine.fleet import Fleet
from camelid.engine.loader import Loader, Wish
from camelid.engine.quarantine import Quarantine
from camelid.engine.request import LoadRequest, RunningModel
from camelid.engine.runner import Runner
from camelid.engine.spares import Spares
from camelid.errors import ServerBusyError
from camelid.plugins.catalog import Catalog
from camelid.plugins.host import PluginHost
from camelid.plugins.observers import Observers
from camelid.settings import Settings
from camelid.types.events import Purpose
from camelid.types.options import BackendOrigin

__all__ = ("Lease", "LoadRequest", "Pool", "RunningModel")


class Lease(msgspec.Struct, frozen=True, eq=False):
    """A loaded model for the length of one request."""

    client: WorkerClient
    load_duration: int
    """Nanoseconds between asking for the model and having it."""
    account: Account = msgspec.field(default_factory=Account)
    """What the request takes, for observers; whoever serves it notes what is known."""


def _available_memory() -> int:
    # Imported when first asked for, on a thread: it would be a third of the server's start.
    import psutil  # noqa: PLC0415

    available: int = psutil.virtual_memory().available
    return available


class Pool:
    """Hands out loaded models. All methods run on the event loop of the server.

    Requests whose model is there join it. The others stand in one queue and are served in order, one load at a time;
    everyone who waits for the same model shares its load.
    """

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        *,
        available: Callable[[], int] = _available_memory,
        quarantine: Quarantine | None = None,
        plugins: PluginHost | None = None,
    ) -> None:
        """Make an empty pool.

        Args:
            catalog: the backends and placements to use.
            settings: `placement` and the limits.
            available: tells the bytes of memory that are free.
            quarantine: what is known of models that die again and again.
            plugins: those of the catalog, to choose backends, to observe, and to be loaded anew where
                `reload_plugins` says so.

        Raises:
            ConfigurationError: the settings name a placement or a backend that nobody registered.
        """
        if plugins is None:
            self.chooser, self._observers = BackendChooser(catalog, settings.backends), Observers()
        else:
            self.chooser = BackendChooser(catalog, settings.backends, plugins.choose_backend)
            self._observers = Observers(plugins.with_hook)
        self._catalog = catalog
        self._settings = settings
        self._quarantine = quarantine or Quarantine()
        self._fleet = Fleet(self._quarantine, self._grant, self._observers.tell)
        self._edits: PluginHost | None = plugins if settings.reload_plugins else None
        self._looking = asyncio.Lock()
        self._looks: set[asyncio.Task[None]] = set()
        if self._edits is not None:
            self._edits.watch()
        placement = catalog.placement(settings.placement)
        self._spares = Spares(placement, settings)
        self._loader = Loader(self._fleet, self._quarantine, placement, settings, available, catalog=catalog)
        self._queue: list[Wish] = []
        self._server: asyncio.Task[None] | None = None
        self._serving: tuple[Wish, asyncio.Task[Runner]] | None = None
        self._closed = False

    def prepare(self) -> None:
        """Have a worker ready for the first model."""
        self._spares.begin(self._catalog.backends.values())

    async def backend_of(self, request: LoadRequest) -> str:
        """The name of the backend that would serve a request.

        Raises:
            UnsupportedCapabilityError: no backend loads this format, or the one that was named does not.
        """
        return (await self.chooser.choose_on_loop(_needs(request))).backend.name

    @asynccontextmanager
    async def lease(
        self, request: LoadRequest, keep_alive: float | None, purpose: Purpose = Purpose.GENERATE
    ) -> AsyncIterator[Lease]:
        """Have a model for the length of the context, loading it if need be.

        Args:
            request: the model and the options that matter when it is loaded.
            keep_alive: seconds it shall stay afterwards, for everyone; None to leave that as it is.
            purpose: what it is wanted for, as observers are told.

        Raises:
            ServerBusyError: too many wait already.
            UnsupportedCapabilityError: no backend loads this format.
            InvalidOptionError: the backend refuses one of its options.
            WorkerQuarantinedError: the model's workers died too often.
            WorkerError: its worker could not be started, or died.
            ModelError: the model could not be loaded.
            PluginLoadError: the backend's plugin is broken since it was edited.
        """
        account = Account()
        try:
            runner = await self._acquire(request, keep_alive)
            account.backend = runner.key[1]
            try:
                yield Lease(runner.client, time.perf_counter_ns() - account.began, account)
            finally:
                self._fleet.release(runner)
        except BaseException as error:
            self._observers.tell(account.closed(request, purpose, error))
            raise
        self._observers.tell(account.closed(request, purpose))

    async def unload(self, artifact_key: str) -> None:
        """Let a model go as soon as nobody uses it (contract 4.3). If it is idle, it is gone afterwards.

        Args:
            artifact_key: which model, on whatever backend; one that is not loaded is fine.
        """
        closing: list[asyncio.Task[None]] = []
        for runner in self._fleet.runners:
            if runner.key[0] != artifact_key:
                continue
            runner.keep_alive = 0
            runner.expires_at = min(runner.expires_at, time.time())
            if runner.idle or runner.closing is not None:
                closing.append(self._fleet.unload(runner))
        if closing:
            await asyncio.wait(closing)

    @property
    def queued(self) -> int:
        """Requests that wait for a model to be loaded."""
        return len(self._queue)

    def running(self) -> list[RunningModel]:
        """The models in memory, on their way in or out; the one that expires last comes first (contract 7.2)."""
        rows = [runner.describe() for runner in self._fleet.runners]
        loading = self._loader.in_progress()
        return sorted(rows + ([loading] if loading else []), key=lambda row: -row.expires_at)

    async def close(self) -> None:
        """Refuse everyone who waits and unload everything. Bounded: a worker that does not end is killed."""
        self._closed = True
        waiting, self._queue = self._queue, []
        for wish in waiting:
            if not wish.granted.done():
                wish.granted.set_exception(_shutting_down())
        tasks = [task for task in (self._server, self._serving and self._serving[1], *self._looks) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(self._spares.close(), self._fleet.close())
        await asyncio.to_thread(self._observers.close)

    async def _acquire(self, request: LoadRequest, keep_alive: float | None) -> Runner:
        """Join a runner, at once or after waiting for it."""
        if self._closed:
            raise _shutting_down()
        if self._edits is not None:
            # To its end, even if this client leaves: the next look does not see the same edit again.
            look = asyncio.create_task(self._take_edits(self._edits), name="looking for edited plugins")
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
            await asyncio.shield(look)
        choice = await self.chooser.choose_on_loop(_needs(request))
        granted: asyncio.Future[Runner] = asyncio.get_running_loop().create_future()
        wish = Wish(request, choice.backend, keep_alive, granted, choice.reason)
        self._loader.check(wish)
        runner = self._fleet.get(wish.key)
        if runner is not None and runner.usable and self._loader.fits(wish, runner):
            if runner.active >= runner.options.parallel:
                self._check_backlog()
            runner.join(keep_alive)
            return runner
        self._quarantine.check(wish.key, request.name)
        if self._server is None:
            self._server = asyncio.create_task(self._serve(), name="loading models")
        else:
            self._check_backlog()
        self._queue.append(wish)
        try:
            return await wish.granted
        except asyncio.CancelledError:
            self._withdraw(wish)
            raise

    async def _take_edits(self, plugins: PluginHost) -> None:
        """Load plugins anew that were edited, and let models go that run what they were before."""
        async with self._looking:
            if not await asyncio.to_thread(plugins.reload_edited):
                return
        self.chooser.forget()
        self._quarantine.clear()
        for runner in self._fleet.runners:
            backend = self._catalog.backends.get(runner.key[1])
            if backend is None or backend.revision != runner.revision:
                runner.keep_alive = 0
                if runner.idle:
                    self._fleet.unload(runner)

    def _check_backlog(self) -> None:
        """Refuse a request if as many wait already as may wait; the one being served does not count."""
        waiting = max(0, len(self._queue) - 1) + sum(runner.overflow for runner in self._fleet.runners)
        if waiting >= self._settings.max_queue:
            raise ServerBusyError("server busy, please try again.  maximum pending requests exceeded")

    def _withdraw(self, wish: Wish) -> None:
        """Whoever had this wish is gone."""
        if wish in self._queue:
            self._queue.remove(wish)
        elif not wish.granted.cancelled() and wish.granted.exception() is None:
            self._fleet.release(wish.granted.result())
        if self._serving is not None:
            served, task = self._serving
            if not any(self._loader.shares(other, served) for other in self._queue):
                task.cancel()

    async def _serve(self) -> None:
        """Serve the queue in order until it is empty."""
        try:
            while self._queue:
                await self._serve_one(self._queue[0])
        finally:
            self._server = None

    async def _serve_one(self, wish: Wish) -> None:
        task = asyncio.create_task(self._loader.fulfil(wish), name=f"loading {wish.request.name}")
        self._serving = (wish, task)
        try:
            await asyncio.wait({task})
        finally:
            self._serving = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._grant(task.result(), first=wish)
            self._spares.replace(wish.backend)
        else:
            self._refuse(wish, error)

    def _grant(self, runner: Runner, first: Wish | None = None) -> None:
        """Give a runner to all who wait for it, and in any case to the one it was loaded for.

        One that died or went since is given to nobody; they are served again.
        """
        if not runner.usable:
            return
        for wish in [wish for wish in self._queue if wish is first or self._loader.fits(wish, runner)]:
            self._queue.remove(wish)
            if not wish.granted.done():
                runner.join(wish.keep_alive)
                wish.granted.set_result(runner)
        self._fleet.settle(runner)

    def _refuse(self, wish: Wish, error: BaseException) -> None:
        """Tell all who waited for the same load that it failed."""
        for other in [other for other in self._queue if other is wish or self._loader.shares(other, wish)]:
            self._queue.remove(other)
            if not other.granted.done():
                other.granted.set_exception(error)


def _needs(request: LoadRequest) -> ModelNeeds:
    """What matters for choosing a backend."""
    options = request.options
    by_request = options.backend if options.backend_origin is not BackendOrigin.MODEL else None
    return ModelNeeds(
        name=request.name,
        format=request.artifact.format,
        capabilities=request.needs,
        named_by_request=by_request,
        named_by_model=request.named_by_model,
    )


def _shutting_down() -> ServerBusyError:
    return ServerBusyError("the server is shutting down")
