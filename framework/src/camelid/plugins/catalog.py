"""What the plugins registered: backends, converters, registries, placements, answer formats."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from camelid.contracts.answers.format import AnswerFormat
from camelid.contracts.placement import Placement
from camelid.contracts.registry import Registry
from camelid.contracts.route import Route
from camelid.errors import ConfigurationError, UnsupportedCapabilityError
from camelid.types.artifact import FileRole
from camelid.types.conversion import ConverterDescriptor
from camelid.types.descriptor import BackendDescriptor

__all__ = ("Catalog", "RegisteredAnswerFormat", "RegisteredBackend", "RegisteredConverter", "RegisteredRoute")

_PACKAGES: Final = {"gguf": "camelid-llamacpp", "ggml": "camelid-ctransformers", "echo": "camelid-echo"}
"""Distributions to suggest for a format that nothing installed can load."""
_CONVERTER_PACKAGES: Final = {
    ("gguf", "gguf"): "camelid-llamacpp",
    ("gguf-split", "gguf"): "camelid-gguf",
    ("safetensors", "gguf"): "camelid-gguf",
    ("safetensors", "onnx"): "'camelid-onnx[cpu,convert]'",
}
"""Distributions to suggest for a conversion that nothing installed can do."""


class RegisteredBackend(msgspec.Struct, frozen=True):
    """A backend and who registered it."""

    descriptor: BackendDescriptor
    plugin: str
    """Entry-point name."""
    distribution: str
    revision: int = 0
    """How often its plugin, or one that tokenizes for others, was edited and loaded anew since the start."""
    broken: str = ""
    """What is wrong with its plugin since the last edit; the descriptor is then the one before."""

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.descriptor.name


class RegisteredConverter(msgspec.Struct, frozen=True):
    """A converter and who registered it."""

    descriptor: ConverterDescriptor
    plugin: str
    """Entry-point name."""
    distribution: str


class RegisteredAnswerFormat(msgspec.Struct, frozen=True):
    """A way in which models write answers, and who registered it."""

    descriptor: AnswerFormat
    plugin: str
    """Entry-point name; empty for what is built in."""
    distribution: str

    @property
    def name(self) -> str:
        """The format's name."""
        return self.descriptor.name


class RegisteredRoute(msgspec.Struct, frozen=True):
    """A route and who registered it."""

    route: Route
    plugin: str
    """Entry-point name."""
    distribution: str


class Catalog:
    """Everything that was registered. It changes only where plugins are loaded anew after an edit."""

    def __init__(
        self,
        backends: Mapping[str, RegisteredBackend],
        registries: tuple[Registry, ...] = (),
        placements: Mapping[str, Placement] = MappingProxyType({}),
        converters: tuple[RegisteredConverter, ...] = (),
        answer_formats: tuple[RegisteredAnswerFormat, ...] = (),
        *,
        tokenizers: tuple[str, ...] = (),
        routes: tuple[RegisteredRoute, ...] = (),
    ) -> None:
        self.backends: Mapping[str, RegisteredBackend] = MappingProxyType(dict(backends))
        self.registries = registries
        """In the order they registered."""
        self.placements: Mapping[str, Placement] = MappingProxyType(dict(placements))
        self.converters = converters
        """In the order they registered."""
        self.answer_formats = answer_formats
        """In the order they registered."""
        self.tokenizers = tokenizers
        """Entry-point names of the plugins that tokenize for others: they implement `camelid_tokenizer` and have no
        backend."""
        self.routes = routes
        """In the order they registered."""

    def renew(self, found: "Catalog") -> None:
        """Take what `found` has in place of everything here. A backend that is not in it, but whose plugin registered
        it before the last edit, stays and says what is wrong.
        """
        vars(self).update(vars(found))

    def backend_for(self, format: str, wanted: str | None = None) -> RegisteredBackend:  # noqa: A002 - the field's name
        """The backend that shall load a model of this format: the wanted one, else the one with the highest priority.

        Raises:
            UnsupportedCapabilityError: there is none; the message says what to install or to write.
        """
        if wanted is not None:
            return self._wanted(format, wanted)
        return min(self.backends_for(format), key=lambda backend: (-backend.descriptor.priority, backend.name))

    def backends_for(self, format: str) -> tuple[RegisteredBackend, ...]:  # noqa: A002
        """All backends that load models of this format, in the order they registered.

        Raises:
            UnsupportedCapabilityError: there is none; the message says what to install or to write.
        """
        able = self._able(format)
        if not able:
            package = _PACKAGES.get(format)
            advice = f"install one: pip install {package}" if package else "install a plugin that does"
            raise UnsupportedCapabilityError(
                f"no installed backend loads models of the format {format!r}; {advice} "
                "(`camelid plugins` shows what is installed, and what is broken)"
            )
        return able

    @property
    def sees_within(self) -> frozenset[str]:
        """Architectures that some backend lets see though their projector lies in the language model's own file."""
        return frozenset().union(*(backend.descriptor.sees_within for backend in self.backends.values()))

    @property
    def endings(self) -> Mapping[str, str]:
        """Endings of files that backends load, and the format of each. Where two differ, the first to register wins."""
        backends = reversed(tuple(self.backends.values()))
        return {ending: known for each in backends for ending, known in each.descriptor.endings.items()}

    def _able(self, format: str) -> tuple[RegisteredBackend, ...]:  # noqa: A002
        return tuple(backend for backend in self.backends.values() if format in backend.descriptor.formats)

    def converter_for(
        self, source: str, target: str, *, role: FileRole = FileRole.MODEL, quantization: str = ""
    ) -> RegisteredConverter:
        """The first converter that reads `source`, writes `target`, and can quantize as asked, if that was asked.

        Raises:
            UnsupportedCapabilityError: there is none; the message says what to install.
        """
        for converter in self.converters:
            known = converter.descriptor
            able = quantization in known.quantizations if quantization else True
            if (known.source, known.target) == (source, target) and role in known.roles and able:
                return converter
        task = f"quantizes {target} models to {quantization}" if source == target else f"makes {target} of {source}"
        package = _CONVERTER_PACKAGES.get((source, target))
        advice = f"install one: pip install {package}" if package else "install a plugin that does"
        raise UnsupportedCapabilityError(
            f"no installed plugin {task}; {advice} (`camelid plugins` shows what is installed, and what is broken)"
        )

    def placement(self, name: str) -> Placement:
        """The placement of this name.

        Raises:
            ConfigurationError: nobody registered it.
        """
        placement = self.placements.get(name)
        if placement is None:
            choice = ", ".join(sorted(self.placements)) or "none"
            raise ConfigurationError(f"there is no placement {name!r}; the setting placement may be one of: {choice}")
        return placement

    def _wanted(self, format: str, wanted: str) -> RegisteredBackend:  # noqa: A002
        able, backend = self._able(format), self.backends.get(wanted)
        if backend in able:
            return backend
        others = ", ".join(sorted(backend.name for backend in able)) or "none"
        if backend is None:
            problem = f"there is no backend {wanted!r}"
        else:
            problem = f"the backend {wanted!r} does not load models of the format {format!r}"
        raise UnsupportedCapabilityError(f"{problem}; backends that can: {others} (`camelid plugins` shows them all)")
