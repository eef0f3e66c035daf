"""The plugin host: loads what is installed, lives with what is broken, and calls the hooks by typed methods."""

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Final

# The contracts are reached through `camelid`, which loads them when first used: the server checks no results of
# worker hooks and must not load NumPy.
import camelid
from camelid.errors import CamelidError, MissingDependencyError, ModelLoadError, PluginError, PluginLoadError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.plugins.discovery import find_plugins
from camelid.plugins.folder import in_folder
from camelid.plugins.loaded import LoadedPlugins, Rules
from camelid.plugins.plugin import Plugin
from camelid.plugins.record import PluginRecord, PluginStatus
from camelid.plugins.registration import Process
from camelid.plugins.sources import Sources
from camelid.plugins.threads import in_thread
from camelid.plugins.trace import begin_tracing, tracing_wanted
from camelid.types.artifact import ModelArtifact
from camelid.types.descriptor import BackendDescriptor
from camelid.types.loading import LoadOptions
from camelid.types.selection import ModelToLoad

if TYPE_CHECKING:
    import click

    from camelid.contracts.converter import Converter
    from camelid.contracts.embedder import Embedder
    from camelid.contracts.generation import Generator
    from camelid.contracts.media import MediaTokenizer
    from camelid.contracts.model import LoadedModel
    from camelid.contracts.ranker import Ranker
    from camelid.contracts.tokenizer import Tokenizer

__all__ = ("PluginHost",)

_log = logging.getLogger("camelid.plugins")

CHOOSING_SECONDS: Final = 5.0
"""For one plugin to choose a backend: a request waits for it."""


class PluginHost:
    """The plugins of one process. Make one with `PluginHost.load`."""

    def __init__(self, loaded: LoadedPlugins) -> None:
        self._loaded = loaded
        self._sources: Sources | None = None

    @classmethod
    def load(
        cls,
        *,
        only: Collection[str] | None = None,
        disabled: Collection[str] = (),
        builtins: Mapping[str, ModuleType] = MappingProxyType({}),
        process: Process = "server",
        reserved_commands: Collection[str] = (),
        trace: bool | None = None,
    ) -> "PluginHost":
        """Load the installed plugins. A plugin that cannot be used becomes a record, never an exception.

        Args:
            only: entry-point names to load; None for all. Plugins that are built in are not meant.
            disabled: names not to load, built in or not.
            builtins: the framework's own plugins by name; they come first.
            process: this one; what is not called here is not registered.
            reserved_commands: names that no command of a plugin may have.
            trace: log each hook call with arguments, result and time; None = if `CAMELID_TRACE_PLUGINS` is 1.
        """
        tracing = tracing_wanted() if trace is None else trace
        if tracing:
            begin_tracing()
        rules = Rules(only=only, disabled=disabled, process=process, reserved_commands=reserved_commands, trace=tracing)
        return cls(LoadedPlugins(find_plugins(builtins), rules))

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """One for each plugin that is installed, built in or asked for, also the broken ones."""
        return self._loaded.records

    @property
    def catalog(self) -> Catalog:
        """What they registered; the same object for good."""
        return self._loaded.catalog

    def backend(self, name: str) -> RegisteredBackend:
        """The backend of this name.

        Raises:
            PluginLoadError: there is none; the message says what there is, and what is broken.
        """
        found = self.catalog.backends.get(name)
        if found is not None:
            return found
        there = ", ".join(sorted(self.catalog.backends)) or "none"
        missing = "".join(
            f"\nthe plugin {record.name!r} of {record.distribution} is {record.status}: {record.reason}"
            for record in self.records
            if record.status is PluginStatus.BROKEN or (record.status is PluginStatus.DISABLED and record.name == name)
        )
        raise PluginLoadError(
            f"no installed plugin registers the backend {name!r}; there are: {there}. "
            f"A package of yours is installed from its folder: pip install -e .{missing}"
        )

    @property
    def commands(self) -> "Mapping[str, tuple[click.Command, Plugin]]":
        """The commands that plugins add to `camelid`, by name."""
        return {str(command.name): (command, plugin) for command, plugin in self._loaded.registrations.commands}

    def with_hook(self, hook: str) -> list[Plugin]:
        """The loaded plugins that have a hook, in the order of their names."""
        return [plugin for plugin in self._loaded.plugins.values() if hook in plugin.hooks]

    def watch(self) -> None:
        """Take the plugins' files as they are now for what `reload_edited` compares with. Blocks for milliseconds."""
        self._sources = self._loaded.sources()

    def reload_edited(self) -> bool:
        """Load the plugins anew that were edited since the last call, or since `watch`. Blocks for milliseconds.

        Returns:
            Whether there were any; the catalog and the records have changed then.
        """
        edited = self._sources.edited() if self._sources else []
        if edited:
            self._loaded.load_again(edited)
        return bool(edited)

    def choose_backend(self, model: ModelToLoad, candidates: Sequence[BackendDescriptor]) -> tuple[str, str] | None:
        """Let plugins choose a backend (`camelid_choose_backend`). Blocks, for some seconds a plugin at most. What a
        plugin does wrong is logged.

        Returns:
            The names of the backend and of the plugin that chose it; None if none did.
        """
        hook, names = "camelid_choose_backend", [candidate.name for candidate in candidates]
        for plugin in self.with_hook(hook):
            call = partial(plugin.call, hook, model=model, candidates=tuple(candidates))
            try:
                chosen = in_thread(call, hook).result(CHOOSING_SECONDS)
                if chosen is None:
                    continue
                if isinstance(chosen, str) and chosen in names:
                    return chosen, plugin.name
                raise plugin.fault(hook, f"chose {chosen!r:.100}; the candidates are {', '.join(names)}")
            except TimeoutError:
                _log.error("%s took more than %g s; the plugin %s is passed over", hook, CHOOSING_SECONDS, plugin.name)
            except CamelidError as error:
                _log.error("%s (%s); the plugin %s is passed over", error.message, error.reason, plugin.name)
        return None

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
        plugin = self._loaded.plugins.get(name)
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


def _called(value: object) -> str:
    """How an error names a value of a wrong type."""
    return "None" if value is None else f"a {type(value).__name__}"
