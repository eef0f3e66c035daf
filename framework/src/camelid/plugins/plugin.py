"""One imported plugin: checked when it is registered, blamed when one of its hooks fails."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Final

import pluggy

from camelid import hookspecs
from camelid.errors import (
    CamelidError,
    HookError,
    MissingDependencyError,
    ModelMemoryError,
    PluginLoadError,
)
from camelid.plugins.blame import place_of
from camelid.plugins.discovery import Candidate
from camelid.plugins.trace import Call

__all__ = ("Plugin", "new_manager")

_MARK: Final = f"{hookspecs.PROJECT}_impl"
"""The attribute that `hookimpl` leaves on a function."""


def new_manager() -> pluggy.PluginManager:
    """A manager that knows every hook of `camelid.hookspecs`."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


class Plugin:
    """A plugin whose module was imported.

    It has a pluggy manager to itself: pluggy then checks its hooks alone, a call reaches no other plugin, and whatever
    goes wrong is its own.
    """

    def __init__(self, candidate: Candidate, module: ModuleType, *, trace: bool) -> None:
        """Register the module's hooks.

        Raises:
            PluginLoadError: a hook is unknown, takes arguments it may not, is async, or lacks its mark.
        """
        self.name = candidate.name
        self.package = candidate.distribution or candidate.name
        self._trace = trace
        self._top = module.__name__.partition(".")[0]
        self._manager = new_manager()
        try:
            self._manager.register(module, candidate.name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginLoadError(
                f"{self.package} has a hook that this version of Camelid does not know; upgrade or mend it",
                reason=_misfit(module) or " ".join(str(error).split()),
                plugin=self.package,
            ) from error
        callers = self._manager.get_hookcallers(module) or []
        self.hooks = tuple(sorted(caller.name for caller in callers))
        self._check_functions(module)

    def _check_functions(self, module: ModuleType) -> None:
        """Refuse what pluggy would accept and then misunderstand."""
        for name in self.hooks:
            function = getattr(module, name, None)
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise PluginLoadError(
                    f"{self.package}: {name} is async; hooks are plain functions", plugin=self.package
                )
        for name, value in vars(module).items():
            forgotten = name in hookspecs.__all__ and name not in self.hooks and inspect.isfunction(value)
            if forgotten and value.__module__ == module.__name__:
                raise PluginLoadError(f"{self.package}: {name} is not marked with @hookimpl", plugin=self.package)

    def call(self, hook: str, **arguments: object) -> object:
        """Call one hook of this plugin.

        Returns:
            What it returned: one value for a hook that returns something, else a list; None if it has no such hook.

        Raises:
            HookError: it raised, or returned a coroutine.
            MissingDependencyError: it could not import what it needs.
            ModelMemoryError: it ran out of memory.
            CamelidError: what it raised itself from Camelid's tree.
        """
        if hook not in self.hooks:
            return None
        if not self._trace:
            return self._call(hook, arguments)
        call = Call(self.name, hook, arguments)
        try:
            result = self._call(hook, arguments)
        except CamelidError as error:
            call.raised(error.__cause__ or error)
            raise
        call.returned(result)
        return result

    def _call(self, hook: str, arguments: Mapping[str, object]) -> object:
        try:
            result: object = getattr(self._manager.hook, hook)(**arguments)
        except CamelidError as error:
            error.plugin = error.plugin or self.package
            raise
        except ImportError as error:
            raise MissingDependencyError(
                f"{self.package} needs {error.name or 'a library'}, which cannot be imported; "
                f"reinstall it: pip install --force-reinstall {self.package}",
                reason=f"{hook}: {error}",
                plugin=self.package,
            ) from error
        except MemoryError as error:
            raise ModelMemoryError(
                "not enough memory to load the model", reason=f"{hook}: {error}", plugin=self.package
            ) from error
        # A hook is somebody else's code: it may raise anything, and SystemExit must not end the process.
        except (Exception, SystemExit) as error:
            raise self.failure(hook, error) from error
        self._refuse_awaitable(hook, result)
        return result

    def _refuse_awaitable(self, hook: str, result: object) -> None:
        for value in result if isinstance(result, list) else (result,):
            if inspect.iscoroutine(value):
                value.close()
            if inspect.isawaitable(value):
                raise self.fault(hook, "returned a coroutine; hooks are plain functions")

    def fault(self, hook: str, what: str, *, reason: str = "") -> HookError:
        """The error that blames this plugin for what one of its hooks did."""
        return HookError(f"{self.package}: {hook} {what}", reason=reason, plugin=self.package)

    def failure(self, what: str, error: BaseException) -> HookError:
        """The error that blames this plugin for what its hook or handler `what` raised, and says where."""
        return self.fault(what, f"raised {type(error).__name__}{place_of(error, self._top)}", reason=str(error))


def _misfit(module: ModuleType) -> str:
    """What is wrong with a hook of a module that pluggy refused: its name, or an argument."""
    for name, function in vars(module).items():
        if not hasattr(function, _MARK):
            continue
        spec = getattr(hookspecs, name, None)
        if spec is None:
            near = get_close_matches(name, hookspecs.__all__, n=1)
            return f"there is no hook {name}" + (f"; {near[0]} is meant?" if near else "")
        known = inspect.signature(spec).parameters
        wrong = [argument for argument in inspect.signature(function).parameters if argument not in known]
        if wrong:
            return f"{name} has no argument {wrong[0]}; it may take {', '.join(known) or 'none'}"
    return ""
