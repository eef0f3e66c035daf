"""The plugins of one process, and what became of each: loaded, left out or broken."""

import logging
from collections.abc import Collection, Iterable

import msgspec

from camelid.errors import CamelidError, PluginLoadError
from camelid.plugins.catalog import (
    Catalog,
    RegisteredAnswerFormat,
    RegisteredBackend,
    RegisteredConverter,
    RegisteredRoute,
)
from camelid.plugins.discovery import Candidate, import_plugin
from camelid.plugins.plugin import Plugin
from camelid.plugins.record import BackendRecord, PluginRecord, PluginStatus
from camelid.plugins.registration import Process, Registrations, register_all
from camelid.plugins.sources import Sources, forget_modules

__all__ = ("LoadedPlugins", "Rules")

_log = logging.getLogger("camelid.plugins")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Which plugins are loaded, and what for."""

    only: Collection[str] | None
    """Entry-point names to load; None for all. Plugins that are built in are not meant."""
    disabled: Collection[str]
    """Names not to load, built in or not."""
    process: Process
    reserved_commands: Collection[str]
    """Names that no command of a plugin may have."""
    trace: bool


class _Outcome(msgspec.Struct, frozen=True):
    """What became of a plugin."""

    candidate: Candidate
    status: PluginStatus
    reason: str = ""
    plugin: Plugin | None = None


class LoadedPlugins:
    """Loads plugins one by one, each in a try of its own, and again those that were edited."""

    def __init__(self, candidates: Iterable[Candidate], rules: Rules) -> None:
        self.catalog = Catalog({})
        """What they registered."""
        self.registrations = Registrations()
        """The same, with who did it."""
        self._rules = rules
        self._revisions: dict[str, int] = {}
        """By plugin: how often it was loaded anew."""
        self._tokenizing: set[str] = set()
        """Plugins that tokenize for others, or did before they broke: all workers import them."""
        self._outcomes: dict[int, _Outcome] = {}
        """By the plugin's place in the order of loading: two may have one name."""
        for place, candidate in enumerate(candidates):
            self._outcomes[place] = self._load(candidate)
        for record in self._missing():
            _log.warning("plugin %s is broken: %s", record.name, record.reason)
        self.catalog.renew(self._found())

    @property
    def plugins(self) -> dict[str, Plugin]:
        """Those that are loaded, by name."""
        return {each.plugin.name: each.plugin for each in self._outcomes.values() if each.plugin is not None}

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """One for each plugin that is installed, built in or asked for, also the broken ones."""
        return (*(_record(outcome, self.registrations) for outcome in self._outcomes.values()), *self._missing())

    def sources(self) -> Sources:
        """The files of all plugins that are not left out, as they are now."""
        wanted = [each for each in self._outcomes.values() if each.status is not PluginStatus.DISABLED]
        return Sources(each.candidate for each in wanted if not each.candidate.builtin)

    def load_again(self, edited: Collection[Candidate]) -> None:
        """Load edited plugins anew. One that is broken now keeps its backends, with the reason, until it is mended."""
        last = dict(self.catalog.backends)
        for candidate in edited:
            forget_modules(candidate)
        for place, outcome in self._outcomes.items():
            if outcome.candidate in edited:
                name = outcome.candidate.name
                self._revisions[name] = self._revisions.get(name, 0) + 1
                if outcome.plugin is not None:
                    self.registrations.forget(outcome.plugin)
                self._outcomes[place] = _Outcome(outcome.candidate, PluginStatus.BROKEN)
                self._outcomes[place] = self._load(outcome.candidate)
                _log.info("the plugin %s was edited and is %s", name, self._outcomes[place].status)
        self.catalog.renew(self._found(last))

    def _load(self, candidate: Candidate) -> _Outcome:
        left_out = self._left_out(candidate)
        if left_out:
            return _Outcome(candidate, PluginStatus.DISABLED, left_out)
        rules = self._rules
        try:
            self._check_name(candidate)
            plugin = Plugin(candidate, import_plugin(candidate), trace=rules.trace)
            register_all(plugin, self.registrations, process=rules.process, reserved_commands=rules.reserved_commands)
        except CamelidError as error:
            reason = f"{error.message}: {error.reason}" if error.reason else error.message
            _log.warning("plugin %s is broken: %s", candidate.name, reason)
            _log.debug("plugin %s", candidate.name, exc_info=error)
            return _Outcome(candidate, PluginStatus.BROKEN, reason)
        return _Outcome(candidate, PluginStatus.LOADED, plugin=plugin)

    def _left_out(self, candidate: Candidate) -> str:
        """Why the settings leave a plugin out; empty if they do not."""
        only = self._rules.only
        if candidate.name in self._rules.disabled:
            return "the setting disabled_plugins names it"
        if only is not None and candidate.name not in only and not candidate.builtin:
            return "the setting plugins does not name it"
        return ""

    def _missing(self) -> list[PluginRecord]:
        """Records of plugins that the settings ask for and nobody installed."""
        installed = {outcome.candidate.name for outcome in self._outcomes.values()}
        choice = ", ".join(sorted(installed)) or "none"
        reason = f"the setting plugins names it, but it is not installed; installed are: {choice}"
        return [
            PluginRecord(name=name, distribution="", version="", module="", status=PluginStatus.BROKEN, reason=reason)
            for name in sorted(set(self._rules.only or ()) - installed)
        ]

    def _check_name(self, candidate: Candidate) -> None:
        for other in self._outcomes.values():
            if other.candidate.name == candidate.name and other.status is PluginStatus.LOADED:
                package = candidate.distribution
                raise PluginLoadError(
                    f"{package} calls its plugin {candidate.name!r} as {other.candidate.distribution} does; "
                    "uninstall one of them",
                    plugin=package,
                )

    def _revision(self, plugin: str) -> int:
        """How often any of what a worker of this plugin imports was loaded anew."""
        return sum(self._revisions.get(name, 0) for name in {plugin, *self._tokenizing})

    def _found(self, last: dict[str, RegisteredBackend] | None = None) -> Catalog:
        """What is registered now, and of the backends there were last those whose plugin is broken."""
        registered = self.registrations
        owners = {owner.name for _, owner in registered.backends}
        tokenizers = tuple(
            name for name, plugin in self.plugins.items() if "camelid_tokenizer" in plugin.hooks and name not in owners
        )
        self._tokenizing.update(tokenizers)
        backends = {
            item.name: RegisteredBackend(item, owner.name, owner.package, self._revision(owner.name))
            for item, owner in registered.backends
        }
        broken = {each.candidate.name: each.reason for each in self._outcomes.values() if each.reason}
        for name, backend in (last or {}).items():
            if name not in backends and backend.plugin in broken:
                backends[name] = msgspec.structs.replace(
                    backend, broken=broken[backend.plugin], revision=self._revision(backend.plugin)
                )
        return Catalog(
            backends,
            tuple(item for item, _ in registered.registries),
            {item.name: item for item, _ in registered.placements},
            tuple(RegisteredConverter(item, owner.name, owner.package) for item, owner in registered.converters),
            tuple(RegisteredAnswerFormat(item, owner.name, owner.package) for item, owner in registered.answer_formats),
            tokenizers=tokenizers,
            routes=tuple(RegisteredRoute(item, owner.name, owner.package) for item, owner in registered.routes),
        )


def _record(outcome: _Outcome, registrations: Registrations) -> PluginRecord:
    candidate, plugin = outcome.candidate, outcome.plugin
    return PluginRecord(
        name=candidate.name,
        distribution=candidate.distribution,
        version=candidate.version,
        module=candidate.module,
        status=outcome.status,
        reason=outcome.reason,
        hooks=plugin.hooks if plugin else (),
        backends=tuple(BackendRecord.of(item) for item, owner in registrations.backends if owner is plugin),
        registries=tuple(item.name for item, owner in registrations.registries if owner is plugin),
        converters=tuple(item.name for item, owner in registrations.converters if owner is plugin),
        answer_formats=tuple(item.name for item, owner in registrations.answer_formats if owner is plugin),
        routes=tuple(item.path for item, owner in registrations.routes if owner is plugin),
        commands=tuple(str(item.name) for item, owner in registrations.commands if owner is plugin),
    )
