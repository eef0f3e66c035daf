"""The plugin host: loads what is installed, lives with what is broken, and calls the hooks by typed methods."""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

# The contracts are reached through `camelid`, which loads them when first used: the server checks no results of
# worker hooks and must not load NumPy.
import camelid
from camelid.errors import CamelidError, MissingDependencyError, ModelLoadError, PluginError, PluginLoadError
from camelid.plugins.catalog import Catalog, RegisteredAnswerFormat, RegisteredBackend, RegisteredConverter
from camelid.plugins.discovery import Candidate, find_plugins, import_plugin
from camelid.plugins.folder import in_folder
from camelid.plugins.plugin import Plugin
from camelid.plugins.record import BackendRecord, PluginRecord, PluginStatus
from camelid.plugins.registration import Registrations, register_all
from camelid.types.artifact import ModelArtifact
from camelid.types.loading import LoadOptions

if TYPE_CHECKING:
    from camelid.contracts.converter import Converter
    from camelid.contracts.embedder import Embedder
    from camelid.contracts.generation import Generator
    from camelid.contracts.media import MediaTokenizer
    from camelid.contracts.model import LoadedModel
    from camelid.contracts.ranker import Ranker
    from camelid.contracts.tokenizer import Tokenizer

__all__ = ("PluginHost",)

_log = logging.getLogger("camelid.plugins")


class PluginHost:
    """The plugins of one process. Make one with `PluginHost.load`."""

    def __init__(
        self,
        records: tuple[PluginRecord, ...],
        catalog: Catalog,
        plugins: Mapping[str, Plugin],
    ) -> None:
        self.records = records
        """One for each plugin that is installed, built in or asked for, also the broken ones."""
        self.catalog = catalog
        self._plugins = plugins

    @classmethod
    def load(
        cls,
        *,
        only: Collection[str] | None = None,
        disabled: Collection[str] = (),
        builtins: Mapping[str, ModuleType] = MappingProxyType({}),
        worker: bool = False,
        trace: bool | None = None,
    ) -> "PluginHost":
        """Load the installed plugins. A plugin that cannot be used becomes a record, never an exception.

        Args:
            only: entry-point names to load; None for all. Plugins that are built in are not meant.
            disabled: names not to load, built in or not.
            builtins: the framework's own plugins by name; they come first.
            worker: this process is a worker, where only backends are registered.
            trace: log each hook call with arguments and result; None = if `CAMELID_TRACE_PLUGINS` is 1.
        """
        tracing = os.environ.get("CAMELID_TRACE_PLUGINS") == "1" if trace is None else trace
        plugins: dict[str, Plugin] = {}
        registrations = Registrations()
        outcomes: list[tuple[Candidate, PluginStatus, str]] = []
        for candidate in find_plugins(builtins):
            left_out = _left_out(candidate, only, disabled)
            if left_out:
                outcomes.append((candidate, PluginStatus.DISABLED, left_out))
                continue
            try:
                _check_name(candidate, outcomes)
                plugin = Plugin(candidate, import_plugin(candidate), trace=tracing)
                register_all(plugin, registrations, worker=worker)
            except CamelidError as error:
                reason = f"{error.message}: {error.reason}" if error.reason else error.message
                _log.warning("plugin %s is broken: %s", candidate.name, reason)
                _log.debug("plugin %s", candidate.name, exc_info=error)
                outcomes.append((candidate, PluginStatus.BROKEN, reason))
            else:
                plugins[plugin.name] = plugin
                outcomes.append((candidate, PluginStatus.LOADED, ""))
        records = [_record(*outcome, plugins, registrations) for outcome in outcomes]
        records += _missing(only or (), {record.name for record in records})
        return cls(tuple(records), _catalog(registrations, plugins), plugins)

    def load_model(self, plugin: str, artifact: ModelArtifact, options: LoadOptions) -> "LoadedModel":
        """Let a plugin load a model (`camelid_load_model`).

        Raises:
            ModelError: the model cannot be loaded.
            PluginError: the plugin is not usable or broke its contract.
        """
        owner = self._plugin(plugin)
        with in_folder(artifact) as found:
            model = owner.call("camelid_load_model", artifact=found, options=options)
        if not isinstance(model, camelid.LoadedModel):
            raise owner.fault("camelid_load_model", f"returned {_called(model)}, not a LoadedModel")
        return model

    def tokenizer(
        self,
        plugin: str,
        model: "LoadedModel",
        artifact: ModelArtifact,
        *,
        others: Sequence[str] = (),
        wanted: str = "",
    ) -> "Tokenizer":
        """The tokenizer of a model (`camelid_tokenizer`).

        Args:
            plugin: of the backend: it is asked first.
            model: what it loaded.
            artifact: of which files.
            others: plugins that tokenize for others, asked in this order where the backend's own has no tokenizer.
            wanted: the one of these that is asked alone, because somebody wants its tokenizer; empty for none.

        Raises:
            MissingDependencyError: no plugin has one; the message says what to install.
            PluginError: a plugin is not usable or broke its contract.
        """
        owner = self._plugin(plugin)
        for name in (wanted,) if wanted else (plugin, *others):
            asked = self._plugin(name)
            tokenizer = asked.call("camelid_tokenizer", model=model, artifact=artifact)
            if isinstance(tokenizer, camelid.Tokenizer):
                if asked is not owner:
                    _check_size(asked, tokenizer, model)
                return tokenizer
            if tokenizer is not None:
                raise asked.fault("camelid_tokenizer", f"returned {_called(tokenizer)}, not a Tokenizer")
        if wanted:
            raise ModelLoadError(f"the plugin {wanted} has no tokenizer for model {artifact.name!r}", plugin=wanted)
        raise MissingDependencyError(
            f"{owner.package} leaves text to other plugins, and "
            f"{' and '.join(others) + ' cannot tokenize for' if others else 'none is installed that tokenizes for'} "
            f"model {artifact.name!r}; pip install camelid-tokenizers",
            plugin=owner.package,
        )

    def generator(self, plugin: str, model: "LoadedModel", tokenizer: "Tokenizer") -> "Generator | None":
        """The generator of a model (`camelid_generator`); None if it cannot generate.

        Raises:
            PluginError: the plugin broke its contract.
        """
        owner = self._plugin(plugin)
        generator = owner.call("camelid_generator", model=model, tokenizer=tokenizer)
        if generator is None or isinstance(generator, camelid.Decoder | camelid.BatchDecoder | camelid.Engine):
            return generator
        problem = f"returned {_called(generator)}, not a Decoder, a BatchDecoder or an Engine"
        raise owner.fault("camelid_generator", problem)

    def embedder(self, plugin: str, model: "LoadedModel", tokenizer: "Tokenizer") -> "Embedder | None":
        """The embedder of a model (`camelid_embedder`); None if it cannot embed.

        Raises:
            PluginError: the plugin broke its contract.
        """
        owner = self._plugin(plugin)
        embedder = owner.call("camelid_embedder", model=model, tokenizer=tokenizer)
        if embedder is None or isinstance(embedder, camelid.Embedder):
            return embedder
        raise owner.fault("camelid_embedder", f"returned {_called(embedder)}, not an Embedder")

    def ranker(self, plugin: str, model: "LoadedModel", tokenizer: "Tokenizer") -> "Ranker | None":
        """The ranker of a model (`camelid_ranker`); None if it cannot rank.

        Raises:
            PluginError: the plugin broke its contract.
        """
        owner = self._plugin(plugin)
        ranker = owner.call("camelid_ranker", model=model, tokenizer=tokenizer)
        if ranker is None or isinstance(ranker, camelid.Ranker):
            return ranker
        raise owner.fault("camelid_ranker", f"returned {_called(ranker)}, not a Ranker")

    def media_tokenizer(self, plugin: str, model: "LoadedModel", tokenizer: "Tokenizer") -> "MediaTokenizer | None":
        """The media tokenizer of a model (`camelid_media_tokenizer`); None if it takes text only.

        Raises:
            PluginError: the plugin broke its contract.
        """
        owner = self._plugin(plugin)
        media = owner.call("camelid_media_tokenizer", model=model, tokenizer=tokenizer)
        if media is None or isinstance(media, camelid.MediaTokenizer):
            return media
        raise owner.fault("camelid_media_tokenizer", f"returned {_called(media)}, not a MediaTokenizer")

    def converter(self, plugin: str, name: str) -> "Converter":
        """A converter (`camelid_converter`).

        Raises:
            PluginError: the plugin has none of that name, or broke its contract.
        """
        owner = self._plugin(plugin)
        converter = owner.call("camelid_converter", name=name)
        if isinstance(converter, camelid.Converter):
            return converter
        raise owner.fault("camelid_converter", f"returned {_called(converter)}, not a Converter")

    def _plugin(self, name: str) -> Plugin:
        """The loaded plugin of this name.

        Raises:
            PluginError: it is not loaded; the message says why.
        """
        plugin = self._plugins.get(name)
        if plugin is not None:
            return plugin
        record = next((record for record in self.records if record.name == name), None)
        if record is None:
            raise PluginLoadError(f"there is no plugin {name!r}; `camelid plugins` shows what is installed")
        raise PluginError(f"the plugin {name!r} is {record.status}: {record.reason}", plugin=record.distribution)


def _check_size(plugin: Plugin, tokenizer: "Tokenizer", model: "LoadedModel") -> None:
    """Refuse a tokenizer for another vocabulary than the model's: what it says would mean something else."""
    made, needed = tokenizer.vocabulary_size, model.facts.vocabulary_size
    if made != needed:
        raise plugin.fault("camelid_tokenizer", f"gave a tokenizer of {made} tokens for a model of {needed}")


def _left_out(candidate: Candidate, only: Collection[str] | None, disabled: Collection[str]) -> str:
    """Why the settings leave a plugin out; empty if they do not."""
    if candidate.name in disabled:
        return "the setting disabled_plugins names it"
    if only is not None and candidate.name not in only and not candidate.builtin:
        return "the setting plugins does not name it"
    return ""


def _check_name(candidate: Candidate, outcomes: list[tuple[Candidate, PluginStatus, str]]) -> None:
    for other, status, _ in outcomes:
        if other.name == candidate.name and status is PluginStatus.LOADED:
            package = candidate.distribution
            raise PluginLoadError(
                f"{package} calls its plugin {candidate.name!r} as {other.distribution} does; uninstall one of them",
                plugin=package,
            )


def _record(
    candidate: Candidate,
    status: PluginStatus,
    reason: str,
    plugins: Mapping[str, Plugin],
    registrations: Registrations,
) -> PluginRecord:
    plugin = plugins.get(candidate.name) if status is PluginStatus.LOADED else None
    return PluginRecord(
        name=candidate.name,
        distribution=candidate.distribution,
        version=candidate.version,
        module=candidate.module,
        status=status,
        reason=reason,
        hooks=plugin.hooks if plugin else (),
        backends=tuple(BackendRecord.of(item) for item, owner in registrations.backends if owner is plugin),
        registries=tuple(item.name for item, owner in registrations.registries if owner is plugin),
        converters=tuple(item.name for item, owner in registrations.converters if owner is plugin),
        answer_formats=tuple(item.name for item, owner in registrations.answer_formats if owner is plugin),
    )


def _missing(only: Collection[str], installed: Collection[str]) -> list[PluginRecord]:
    """Records of plugins that the settings ask for and nobody installed."""
    choice = ", ".join(sorted(installed)) or "none"
    reason = f"the setting plugins names it, but it is not installed; installed are: {choice}"
    return [
        PluginRecord(name=name, distribution="", version="", module="", status=PluginStatus.BROKEN, reason=reason)
        for name in sorted(set(only) - set(installed))
    ]


def _catalog(registrations: Registrations, plugins: Mapping[str, Plugin]) -> Catalog:
    backends = {owner.name for _, owner in registrations.backends}
    return Catalog(
        {item.name: RegisteredBackend(item, owner.name, owner.package) for item, owner in registrations.backends},
        tuple(item for item, _ in registrations.registries),
        {item.name: item for item, _ in registrations.placements},
        tuple(RegisteredConverter(item, owner.name, owner.package) for item, owner in registrations.converters),
        tuple(RegisteredAnswerFormat(item, owner.name, owner.package) for item, owner in registrations.answer_formats),
        tokenizers=tuple(
            name for name, owner in plugins.items() if "camelid_tokenizer" in owner.hooks and name not in backends
        ),
    )


def _called(value: object) -> str:
    """How an error names a value of a wrong type."""
    return "None" if value is None else f"a {type(value).__name__}"
