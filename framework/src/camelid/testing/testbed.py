"""What the cases of a suite stand on: its model, loaded as each case asks for it, once for all of them."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, cast

import msgspec

from camelid.contracts.placement import WorkerSpec
from camelid.engine.inprocess import InProcessPlacement
from camelid.errors import CamelidError, PluginLoadError, WorkerDiedError
from camelid.plugins.catalog import RegisteredBackend
from camelid.plugins.host import PluginHost
from camelid.testing.host import HOSTS, Host
from camelid.testing.outcomes import Failed, fail
from camelid.testing.parts import Parts, opened
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.artifact import ModelArtifact

if TYPE_CHECKING:
    from camelid.testing.backend import BackendSuite

__all__ = ("Testbed",)

_T = TypeVar("_T")


class Testbed:
    """Models are loaded when first asked for. What failed once is not tried again: each case gets the same error.

    A case takes what it needs by the names of its arguments: `host`, the suite's model in each place in turn, and
    `worker`, `seer`, `hearer`, `parts`, `adapter` and `tmp_path`, an empty folder.
    """

    def __init__(self, suite: "BackendSuite", folder: Path, plugins: PluginHost | None = None) -> None:
        """Bind.

        Args:
            suite: what is tested.
            folder: empty; models are made in it.
            plugins: what is installed; None to look.
        """
        self._suite = suite
        self._folder = folder
        self._plugins = PluginHost.load() if plugins is None else plugins
        self._made: dict[str, object] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Nothing to do before somebody asks."""
        return self

    def __exit__(self, *_: object) -> None:
        """Unload everything."""
        self._open.close()

    @property
    def registered(self) -> RegisteredBackend:
        """The backend.

        Raises:
            Failed: the suite names none, or none that is installed.
        """
        __tracebackhide__ = True
        name = getattr(self._suite, "backend", None)
        if not isinstance(name, str):
            fail(f'{type(self._suite).__name__} does not say what it tests: backend = "name in the descriptor"')
        try:
            return self._plugins.backend(name)
        except PluginLoadError as error:
            raise Failed(error.message) from None

    @property
    def spec(self) -> WorkerSpec:
        """What is loaded for most cases."""
        return self._once("spec", self._make_spec)

    def host(self, place: str) -> Host:
        """The suite's model, loaded in a place, a key of `HOSTS`. The caller closes it."""
        if HOSTS[place] is InProcessPlacement:
            self._once("trial", self._try_in_worker)
        return self._load(place, self.spec)

    @property
    def worker(self) -> Host:
        """The suite's model in a worker, for cases that a process of its own has to survive."""
        if isinstance(known := self._made.get("worker"), Host) and not known.client.alive:
            del self._made["worker"]  # it died of a case, which others must not suffer for
        return self._once("worker", lambda: self._open.enter_context(closing(self.host("worker"))))

    @property
    def seer(self) -> Host:
        """The suite's model that is shown pictures, in a worker; the suite's only model if it has none for that."""
        return self._once("seer", lambda: self._other("seer", self._suite.make_seeing_artifact))

    @property
    def hearer(self) -> Host:
        """The suite's model that is played sounds, in a worker; the suite's only model if it has none for that."""
        return self._once("hearer", lambda: self._other("hearer", self._suite.make_hearing_artifact))

    @property
    def parts(self) -> Parts:
        """The suite's model in this process, with nothing of the framework around it."""
        return self._once("parts", self._make_parts)

    def adapter(self, folder: Path) -> Path | None:
        """The suite's adapter for its model, if it has one; made in `folder`."""
        return self._suite.make_adapter(folder)

    def _make_spec(self) -> WorkerSpec:
        registered = self.registered
        return WorkerSpec(
            backend=registered.name,
            plugin=registered.plugin,
            artifact=self._suite.make_artifact(self._new_folder("model")),
            options=self._suite.options,
            tokenizers=self._plugins.catalog.tokenizers,
        )

    def _make_parts(self) -> Parts:
        self._once("trial", self._try_in_worker)
        return self._open.enter_context(opened(self.spec))

    def _try_in_worker(self) -> None:
        """Load the model in a worker before this process does: one that crashes or hangs takes nothing along there.

        Raises:
            WorkerDiedError: it crashed.
            TimeoutError: it hung.
        """
        try:
            with closing(self._load("worker", self.spec)) as host:
                host.answer(greedy(PROMPT, tokens=1))
        except WorkerDiedError:
            raise
        except CamelidError:
            pass  # an error is no crash; the cases will tell what is wrong

    def _other(self, name: str, make: Callable[[Path], ModelArtifact | None]) -> Host:
        artifact = make(self._new_folder(name))
        if artifact is None:
            return self.worker
        spec = msgspec.structs.replace(self.spec, artifact=artifact)
        return self._open.enter_context(closing(self._load("worker", spec)))

    def _load(self, place: str, spec: WorkerSpec) -> Host:
        return Host(place, spec, self.registered.descriptor, self._suite.patience)

    def _new_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _once(self, name: str, make: Callable[[], _T]) -> _T:
        """What `make` gives, or raises, the first time."""
        if name not in self._made:
            try:
                self._made[name] = make()
            except Exception as error:  # noqa: BLE001 - raised at once, and again
                self._made[name] = error
        found = self._made[name]
        if isinstance(found, Exception):
            raise found
        return cast("_T", found)
