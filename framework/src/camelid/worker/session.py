"""One loaded model and everything that was built on it."""

import gc
import logging
import re
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from camelid.contracts.embedder import Embedder
from camelid.contracts.engine import Engine
from camelid.contracts.media import MediaTokenizer
from camelid.contracts.model import LoadedModel
from camelid.contracts.ranker import Ranker
from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.archive import PrefixArchive
from camelid.decoding.lift import LIFTED, lift
from camelid.decoding.prefix_files import PrefixFiles, folder_of_model
from camelid.errors import CamelidError, RequestError, UnsupportedCapabilityError
from camelid.plugins.blame import raised_outside
from camelid.plugins.host import PluginHost
from camelid.types.artifact import FileRole
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.usage import EngineUsage
from camelid.wire.faults import fault_from
from camelid.wire.messages import PROTOCOL_VERSION, Fault, Ready, Start

__all__ = ("Session", "blame")

_log = logging.getLogger("camelid.worker")

_NO_RUNTIME: Final = re.compile(r"(camelid.*|numpy|msgspec)$", re.IGNORECASE)
"""What backends require beside the library that computes."""


class Session:
    """What a worker holds between `Start` and `Goodbye`. Embedder, ranker and media tokenizer are built when first
    asked for.
    """

    def __init__(self, start: Start) -> None:
        """Load the model.

        Raises:
            CamelidError: the plugin or the model cannot be used, or adapters come with it that would be ignored.
        """
        self.start = start
        began = time.monotonic_ns()
        self._host = PluginHost.load(only={start.plugin, *start.tokenizers}, process="worker")
        self._distribution = next((row.distribution for row in self._host.records if row.name == start.plugin), "")
        self._engine: Engine | None = None
        self._embedder: Embedder | None = None
        self._ranker: Ranker | None = None
        self._media_tokenizer: MediaTokenizer | None = None
        self.model: LoadedModel = self._host.load_model(start.plugin, start.artifact, start.options)
        try:
            self.tokenizer: Tokenizer = self._host.tokenizer(
                start.plugin,
                self.model,
                start.artifact,
                others=start.tokenizers,
                wanted=start.options.tokenizer,
            )
            self.ready = Ready(
                protocol=PROTOCOL_VERSION,
                facts=self._build_engine(self.model.facts),
                memory=self.model.memory(),
                backend=start.backend,
                backend_version=self.model.facts.runtime or _runtime_version(self._distribution),
                load_duration=time.monotonic_ns() - began,
                usage=self.usage(),
            )
            if start.artifact.with_role(FileRole.ADAPTER):
                self.require(Capability.ADAPTERS)
        except BaseException:
            self.close()
            raise
        # What is alive now stays alive: no collection needs to look at it again.
        gc.collect()
        gc.freeze()

    def require(self, capability: Capability) -> None:
        """Refuse what the backend did not declare for this model: what is not promised is not proven either.

        Raises:
            UnsupportedCapabilityError: it is not declared.
        """
        if capability not in self.ready.facts.capabilities:
            raise UnsupportedCapabilityError(
                f"{self.start.artifact.name} does not support {capability.value} on the backend {self.start.backend}"
            )

    def usage(self) -> EngineUsage:
        """What the engine holds; nothing, if it cannot even say that."""
        try:
            return EngineUsage() if self._engine is None else self._engine.usage
        except Exception as error:  # noqa: BLE001 - the engine is a backend's: its answers are worth more than this
            _log.error("the engine cannot tell what it holds", exc_info=error)
            return EngineUsage()

    def engine(self) -> Engine:
        """The model's engine.

        Raises:
            UnsupportedCapabilityError: the model cannot generate.
        """
        self.require(Capability.COMPLETION)
        if self._engine is None:
            raise UnsupportedCapabilityError(f"{self.start.artifact.name} does not support generate")
        return self._engine

    def _build_engine(self, facts: ModelFacts) -> ModelFacts:
        """Build the engine of a model that generates; the facts with what the framework adds to the backend's."""
        if Capability.COMPLETION not in facts.capabilities:
            return facts
        generator = self._host.generator(self.start.plugin, self.model, self.tokenizer)
        if generator is None:
            return facts
        options = self.start.options
        saves = Capability.STATE_SAVE in facts.capabilities
        archive = self._archive(facts) if saves else None
        self._engine = lift(generator, self.tokenizer, draft_tokens=options.draft_tokens, archive=archive)
        added = LIFTED if self._engine is not generator else frozenset()
        return msgspec.structs.replace(facts, capabilities=facts.capabilities | added)

    def _archive(self, facts: ModelFacts) -> PrefixArchive | None:
        """Where prefixes go that leave the KV cache; None if they are to be forgotten."""
        options, digest = self.start.options, self.start.artifact.model.digest
        files: PrefixFiles | None = None
        if options.prefix_disk and digest:
            folder = folder_of_model(Path(options.prefix_folder), digest, *self._identity(facts))
            files = PrefixFiles(folder, options.prefix_disk)
        return PrefixArchive(options.prefix_memory, files) if options.prefix_memory or files else None

    def _identity(self, facts: ModelFacts) -> tuple[object, ...]:
        """What has to be equal for a saved state to be of use: the files, who computes them, and all options but those
        that change no number.
        """
        numbers = msgspec.structs.replace(
            self.start.options,
            threads=0,
            memory_map=None,
            draft_tokens=0,
            prefix_memory=0,
            prefix_disk=0,
            prefix_folder="",
        )
        files = [(file.role, file.digest, file.name) for file in self.start.artifact.files]
        plugin = _version(self._distribution)
        runtime = facts.runtime or _runtime_version(self._distribution)
        return (self.start.backend, self._distribution, plugin, runtime, files, numbers)

    def embedder(self) -> Embedder:
        """The model's embedder.

        Raises:
            UnsupportedCapabilityError: the model cannot embed.
        """
        if self._embedder is None:
            self.require(Capability.EMBEDDING)
            self._embedder = self._host.embedder(self.start.plugin, self.model, self.tokenizer)
            if self._embedder is None:
                raise UnsupportedCapabilityError(f"{self.start.artifact.name} does not support embeddings")
        return self._embedder

    def ranker(self) -> Ranker:
        """The model's ranker.

        Raises:
            UnsupportedCapabilityError: the model cannot rank.
        """
        if self._ranker is None:
            self.require(Capability.RERANK)
            self._ranker = self._host.ranker(self.start.plugin, self.model, self.tokenizer)
            if self._ranker is None:
                raise UnsupportedCapabilityError(f"{self.start.artifact.name} does not support reranking")
        return self._ranker

    def media_tokenizer(self) -> MediaTokenizer:
        """The model's media tokenizer.

        Raises:
            UnsupportedCapabilityError: the model takes text only.
        """
        if self._media_tokenizer is None:
            if not {Capability.VISION, Capability.AUDIO} & self.ready.facts.capabilities:
                self.require(Capability.VISION)
            self._media_tokenizer = self._host.media_tokenizer(self.start.plugin, self.model, self.tokenizer)
            if self._media_tokenizer is None:
                raise UnsupportedCapabilityError(f"{self.start.artifact.name} does not support images")
        return self._media_tokenizer

    def fault(self, error: Exception) -> Fault:
        """What to tell the server of an error in a request."""
        return blame(error, self._distribution or self.start.plugin)

    def close(self) -> None:
        """Close everything in the order in which it stands on each other; what fails is logged."""
        closing: list[tuple[str, Callable[[], None]]] = [
            (type(part).__name__, part.close)
            for part in (self._engine, self._embedder, self._ranker, self._media_tokenizer, self.model)
            if part is not None
        ]
        for name, close in closing:
            try:
                close()
            except Exception:  # noqa: BLE001 - the rest still has to be closed
                _log.exception("closing the %s failed", name)


def blame(error: Exception, plugin: str) -> Fault:
    """An error for the wire; the plugin is named unless the client is to blame. Foreign exceptions are logged."""
    fault = fault_from(error)
    if not isinstance(error, CamelidError):
        _log.error("%s failed", plugin, exc_info=error)
        if raised := raised_outside(error):
            return Fault(fault.kind, f"{plugin} {raised}; see the server's log", fault.reason, plugin)
    if fault.plugin or isinstance(error, RequestError):
        return fault
    return Fault(fault.kind, fault.message, fault.reason, plugin)


def _version(distribution: str) -> str:
    """Of what is installed under this name; empty if nothing is."""
    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return ""


def _runtime_version(distribution: str) -> str:
    """Name and version of the library that a backend's distribution is built on; empty if that cannot be told."""
    try:
        for requirement in metadata.requires(distribution) or ():
            name = re.match(r"[A-Za-z0-9._-]+", requirement)
            if name and "extra ==" not in requirement and not _NO_RUNTIME.match(name[0]):
                return f"{name[0]} {metadata.version(name[0])}"
    except (metadata.PackageNotFoundError, ValueError):
        pass
    return ""
