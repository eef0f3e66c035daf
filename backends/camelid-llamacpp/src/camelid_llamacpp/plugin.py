"""The hooks of the llama.cpp backend. Importing this loads no native library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeGuard

from camelid import hookimpl
from camelid.errors import MissingDependencyError
from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.conversion import ConverterDescriptor
from camelid.types.descriptor import BackendDescriptor
from camelid.types.loading import LoadOptions
from camelid_llamacpp.combined.architectures import SEEING_ARCHITECTURES
from camelid_llamacpp.file_types import FILE_TYPES
from camelid_llamacpp.options import LlamaCppOptions

if TYPE_CHECKING:
    from camelid import BatchDecoder, Converter, Embedder, LoadedModel, MediaTokenizer, Ranker, Tokenizer
    from camelid_llamacpp.backend import LlamaModel

__all__ = ("CAMELID_API",)

CAMELID_API = 1

_FORMATS = frozenset({"gguf"})
_QUANTIZER = "llama-quantize"


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """One backend, for GGUF files."""
    register(
        BackendDescriptor(
            name="llamacpp",
            formats=_FORMATS,
            capabilities=frozenset(
                {
                    Capability.COMPLETION,
                    Capability.EMBEDDING,
                    Capability.RERANK,
                    Capability.TOKENIZE,
                    Capability.LOGPROBS,
                    Capability.BATCHING,
                    Capability.PREFIX_SHARING,
                    Capability.STATE_SAVE,
                    Capability.VISION,
                    Capability.AUDIO,
                    Capability.ADAPTERS,
                }
            ),
            description="GGUF models on llama.cpp, on CPU and GPU",
            options=LlamaCppOptions,
            modules=("camelid_llamacpp.backend",),
            sees_within=SEEING_ARCHITECTURES,
        )
    )


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load a GGUF file."""
    if artifact.format not in _FORMATS:
        return None
    try:
        from camelid_llamacpp.backend import LlamaModel
    except (ImportError, OSError, RuntimeError) as error:
        raise _missing(error) from error
    return LlamaModel(artifact, options)


@hookimpl
def camelid_tokenizer(model: LoadedModel) -> Tokenizer | None:
    """The tokenizer in the model's own file."""
    return model.tokenizer() if _loaded_here(model) else None


@hookimpl
def camelid_generator(model: LoadedModel) -> BatchDecoder | None:
    """A decoder, unless the model only embeds."""
    return model.decoder() if _loaded_here(model) else None


@hookimpl
def camelid_embedder(model: LoadedModel) -> Embedder | None:
    """An embedder, unless the model only ranks."""
    return model.embedder() if _loaded_here(model) else None


@hookimpl
def camelid_ranker(model: LoadedModel) -> Ranker | None:
    """A ranker, if the model has a head that scores."""
    return model.ranker() if _loaded_here(model) else None


@hookimpl
def camelid_media_tokenizer(model: LoadedModel) -> MediaTokenizer | None:
    """What shows pictures to the model, and plays sounds to it, if it has a projector."""
    return model.media_tokenizer() if _loaded_here(model) else None


@hookimpl
def camelid_converters(register: Callable[[ConverterDescriptor], None]) -> None:
    """One converter: quantizing GGUF files."""
    register(
        ConverterDescriptor(
            name=_QUANTIZER,
            source="gguf",
            target="gguf",
            quantizations=tuple(FILE_TYPES),
            description="quantizes GGUF models with llama.cpp",
        )
    )


@hookimpl
def camelid_converter(name: str) -> Converter | None:
    """The quantizer."""
    if name != _QUANTIZER:
        return None
    try:
        from camelid_llamacpp.quantize import LlamaQuantizer
    except (ImportError, OSError, RuntimeError) as error:
        raise _missing(error) from error
    return LlamaQuantizer()


def _missing(error: Exception) -> MissingDependencyError:
    return MissingDependencyError(
        "llama.cpp could not be loaded; install it with: python -m pip install --force-reinstall llama-cpp-python",
        reason=str(error),
        plugin="camelid-llamacpp",
    )


def _loaded_here(model: LoadedModel) -> TypeGuard[LlamaModel]:
    """Whether this plugin loaded the model; asked of foreign models too, for which nothing is imported."""
    backend = sys.modules.get("camelid_llamacpp.backend")
    return backend is not None and isinstance(model, backend.LlamaModel)
