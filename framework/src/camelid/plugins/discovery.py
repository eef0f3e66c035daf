"""Which plugins are installed, and importing one of them without being pulled down by it."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import metadata
from types import ModuleType

import msgspec

from camelid import __version__
from camelid.errors import ApiVersionError, MissingDependencyError, PluginLoadError
from camelid.hookspecs import API_VERSION, PROJECT
from camelid.plugins.blame import place_of

__all__ = ("Candidate", "find_plugins", "import_plugin")


class Candidate(msgspec.Struct, frozen=True):
    """A plugin that could be imported."""

    name: str
    module: str
    distribution: str
    version: str
    load: Callable[[], object]
    """Imports it; may raise anything."""
    builtin: bool = False

    @property
    def top(self) -> str:
        """Its top-level package."""
        return self.module.partition(":")[0].partition(".")[0]


def find_plugins(builtins: Mapping[str, ModuleType]) -> Iterator[Candidate]:
    """The framework's own plugins in their order, then the installed ones by name. Imports nothing."""
    for name, module in builtins.items():
        yield Candidate(name, module.__name__, PROJECT, __version__, partial(_itself, module), builtin=True)
    for entry in sorted(metadata.entry_points(group=PROJECT), key=lambda entry: entry.name):
        distribution, version = _origin(entry)
        yield Candidate(entry.name, entry.value, distribution, version, entry.load)


def _itself(module: ModuleType) -> ModuleType:
    return module


def _origin(entry: metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution; empty where its metadata is damaged."""
    if entry.dist is None:
        return "", ""
    return entry.dist.name or "", entry.dist.version or ""


def import_plugin(candidate: Candidate) -> ModuleType:
    """Import a plugin's module and check that it was written for this version of the plugin API.

    Raises:
        MissingDependencyError: it needs a module or a native library that is not there.
        PluginLoadError: it cannot be imported for another reason, or is no module.
        ApiVersionError: it was written for another version, or does not say for which.
    """
    package = candidate.distribution or candidate.name
    try:
        module = candidate.load()
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{package} needs the module {error.name!r}, which is not installed; "
            f"install it, or {package} again: pip install --force-reinstall {package}",
            plugin=package,
        ) from error
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"{package} needs something that cannot be loaded; after mending that, reinstall it: "
            f"pip install --force-reinstall {package}",
            reason=f"{type(error).__name__}: {error}",
            plugin=package,
        ) from error
    # A plugin is somebody else's code: SystemExit at import must not end the server either.
    except (Exception, SystemExit) as error:
        raise PluginLoadError(
            f"{package} cannot be imported; upgrade or remove it",
            reason=f"{type(error).__name__}: {error}{_place(error, candidate)}",
            plugin=package,
        ) from error
    if not isinstance(module, ModuleType):
        raise PluginLoadError(
            f"the entry point of {package} names {candidate.module!r}, which is no module", plugin=package
        )
    _check_api(package, getattr(module, "CAMELID_API", None))
    return module


def _place(error: BaseException, candidate: Candidate) -> str:
    """Where it was; a syntax error's own words say so."""
    return "" if isinstance(error, SyntaxError) else place_of(error, candidate.top)


def _check_api(package: str, version: object) -> None:
    """Raise `ApiVersionError` unless the plugin was written for our version of the API."""
    if version == API_VERSION:
        return
    if not isinstance(version, int):
        raise ApiVersionError(
            f"{package} does not say for which version of the plugin API it was written "
            f"(CAMELID_API = {API_VERSION} in its module); upgrade {package}: pip install --upgrade {package}",
            plugin=package,
        )
    behind = package if version < API_VERSION else PROJECT
    raise ApiVersionError(
        f"{package} was written for version {version} of the plugin API and this is version {API_VERSION}; "
        f"upgrade {behind}: pip install --upgrade {behind}",
        plugin=package,
    )
