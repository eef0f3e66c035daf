"""Which backend serves a model, and why."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from fnmatch import fnmatchcase
from functools import partial
from threading import Lock
from typing import Final, TypeAlias

import msgspec

from camelid.errors import ConfigurationError, RequestError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.plugins.threads import in_thread
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.names import ModelName
from camelid.types.selection import ModelToLoad

__all__ = ("BackendChoice", "BackendChooser", "ModelNeeds")

_WILDCARD: Final = "*"
_REMEMBERED: Final = 1000
"""Choices of plugins. When there are more, they are asked anew."""

Chosen: TypeAlias = tuple[str, str] | None
"""The names of a backend and of the plugin that chose it; None where none did."""
AskPlugins: TypeAlias = Callable[[ModelToLoad, Sequence[BackendDescriptor]], Chosen]


def _no_plugin(_model: ModelToLoad, _candidates: Sequence[BackendDescriptor]) -> None:
    """Where no plugin chooses."""


class ModelNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model before it is loaded."""

    name: str
    """As people call it."""
    format: str
    capabilities: Collection[Capability] = ()
    """What its backend should be able to do, so that all of the model can be used."""
    named_by_request: str | None = None
    """The backend that the request's options name."""
    named_by_model: str | None = None
    """The backend that the model's own parameters name."""


class BackendChoice(msgspec.Struct, frozen=True):
    """A backend, and why it was chosen."""

    backend: RegisteredBackend
    reason: str
    """Half a sentence, for people."""


class BackendChooser:
    """Chooses among the installed backends. The first of these that says something decides: the request, the setting
    `backends`, the model's parameters, a plugin, what the backends can read and do, their priorities.
    """

    def __init__(self, catalog: Catalog, rules: Sequence[str] = (), ask_plugins: AskPlugins = _no_plugin) -> None:
        """Read the rules.

        Args:
            catalog: what is installed.
            rules: the setting `backends`.
            ask_plugins: asked where a model has several backends and none is named, once for each model.

        Raises:
            ConfigurationError: one of the rules cannot be read, or names a backend that is not installed.
        """
        self._catalog = catalog
        self._rules = [_read_rule(rule, catalog) for rule in rules]
        self._ask_plugins = ask_plugins
        self._asked: dict[ModelToLoad, Future[Chosen]] = {}
        self._lock = Lock()

    def forget(self) -> None:
        """Plugins were loaded anew: ask them again. Who waits for an answer gets it from what was there before."""
        with self._lock:
            self._asked = {}

    def choose(self, model: ModelNeeds) -> BackendChoice:
        """The backend for a model. May block, while a plugin chooses.

        Raises:
            UnsupportedCapabilityError: none reads its format, or the one that was named does not.
        """
        return self._by_name(model) or self._by_preference(model, self._ask(model).result())

    async def choose_on_loop(self, model: ModelNeeds) -> BackendChoice:
        """`choose` for an event loop, which nothing may block."""
        return self._by_name(model) or self._by_preference(model, await asyncio.wrap_future(self._ask(model)))

    def _by_name(self, model: ModelNeeds) -> BackendChoice | None:
        """The backend that somebody named."""
        if model.named_by_request is not None:
            return self._named(model, model.named_by_request, "the request asks for it")
        for pattern, name in self._rules:
            if fnmatchcase(_plain(model.name), pattern):
                return self._named(model, name, f"the setting backends says so for {pattern}")
        if model.named_by_model is not None:
            return self._named(model, model.named_by_model, "the model's parameter backend names it")
        return None

    def _by_preference(self, model: ModelNeeds, chosen: Chosen) -> BackendChoice:
        """The one that a plugin chose, or else the best for what the model is for."""
        if chosen is not None:
            name, plugin = chosen
            return self._named(model, name, f"the plugin {plugin} chose it")
        able = self._catalog.backends_for(model.format)
        best = min(able, key=lambda backend: _order(backend, model.capabilities))
        return BackendChoice(best, _reason(best, able, model))

    def _named(self, model: ModelNeeds, name: str, reason: str) -> BackendChoice:
        return BackendChoice(self._catalog.backend_for(model.format, name), reason)

    def _ask(self, model: ModelNeeds) -> Future[Chosen]:
        """What plugins choose: asked once for each model, whoever wants to know meanwhile waits for the same answer."""
        question = ModelToLoad(name=model.name, format=model.format, capabilities=frozenset(model.capabilities))
        candidates = [backend.descriptor for backend in self._catalog.backends_for(model.format)]
        with self._lock:
            if question not in self._asked:
                if len(self._asked) >= _REMEMBERED:
                    self._asked.clear()
                # Where there is only one, there is nothing to ask.
                ask = self._ask_plugins if len(candidates) > 1 else _no_plugin
                self._asked[question] = in_thread(partial(ask, question, candidates), "choosing a backend")
            return self._asked[question]


def _order(backend: RegisteredBackend, needs: Collection[Capability]) -> tuple[int, int, str]:
    """The smallest is the best."""
    lacking = len(set(needs) - backend.descriptor.capabilities)
    return lacking, -backend.descriptor.priority, backend.name


def _reason(best: RegisteredBackend, able: Sequence[RegisteredBackend], model: ModelNeeds) -> str:
    others = [backend for backend in able if backend is not best]
    if not others:
        return f"no other backend reads {model.format}"
    names = ", ".join(sorted(backend.name for backend in others))
    lacking = _order(best, model.capabilities)[0]
    rivals = [backend for backend in others if _order(backend, model.capabilities)[0] == lacking]
    if not rivals:
        needs = ", ".join(sorted(capability.value for capability in model.capabilities))
        return f"it can do more of what the model is for ({needs}) than {names}"
    if all(backend.descriptor.priority < best.descriptor.priority for backend in rivals):
        return f"it goes before others that read {model.format}: {names}"
    return f"it is the first by name of those that read {model.format}; others: {names}"


def _read_rule(rule: str, catalog: Catalog) -> tuple[str, str]:
    pattern, sign, backend = (part.strip() for part in rule.partition("="))
    try:
        plain = pattern if _WILDCARD in pattern else ModelName.parse(pattern).short
    except RequestError as error:
        raise ConfigurationError(f"the setting backends: {pattern!r} is no model's name", reason=str(error)) from error
    if not sign or not pattern:
        raise ConfigurationError(f"the setting backends wants MODEL=BACKEND, not {rule!r}")
    if backend not in catalog.backends:
        choice = ", ".join(sorted(catalog.backends)) or "none"
        raise ConfigurationError(f"the setting backends names the backend {backend!r}; there are: {choice}")
    return _plain(plain), backend


def _plain(name: str) -> str:
    """Names that differ in their letters' size only are the same."""
    return name.lower()
