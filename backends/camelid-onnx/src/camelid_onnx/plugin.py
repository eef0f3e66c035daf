"""The hooks of the ONNX backend. Importing this loads no native library."""

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
from camelid_onnx.options import OnnxOptions
from camelid_onnx.precisions import PRECISIONS

if TYPE_CHECKING:
    from camelid import BatchDecoder, Converter, Embedder, Engine, LoadedModel, Tokenizer
    from camelid_onnx.backend import OnnxModel

__all__ = ("CAMELID_API",)

CAMELID_API = 1

_FORMATS = frozenset({"onnx"})
_BUILDER = "genai-model-builder"


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """One backend, for folders that ONNX Runtime GenAI generates from, and for encoders."""
    register(
        BackendDescriptor(
            name="onnx",
            formats=_FORMATS,
            capabilities=frozenset(
                {
                    Capability.COMPLETION,
                    Capability.EMBEDDING,
                    Capability.TOKENIZE,
                    Capability.LOGPROBS,
                    Capability.BATCHING,
                }
            ),
            description="ONNX models on ONNX Runtime, on CPU, CUDA and DirectML",
            options=OnnxOptions,
            modules=("camelid_onnx.backend",),
        )
    )


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load a folder with `genai_config.json`, or one with an encoder."""
    if artifact.format not in _FORMATS:
        return None
    try:
        from camelid_onnx.backend import load_model
    except ImportError as error:
        raise MissingDependencyError(
            "a library that ONNX models need is not there; install it with: python -m pip install 'camelid-onnx[cpu]'",
            reason=str(error),
            plugin="camelid-onnx",
        ) from error
    return load_model(artifact, options)


@hookimpl
def camelid_tokenizer(model: LoadedModel) -> Tokenizer | None:
    """The tokenizer in the model's folder."""
    return model.tokenizer() if _loaded_here(model) else None


@hookimpl
def camelid_generator(model: LoadedModel) -> BatchDecoder | Engine | None:
    """A decoder, or for paged models the runtime's own engine, unless the model only embeds."""
    return model.generator() if _loaded_here(model) else None


@hookimpl
def camelid_embedder(model: LoadedModel) -> Embedder | None:
    """An embedder, if the model is an encoder."""
    return model.embedder() if _loaded_here(model) else None


@hookimpl
def camelid_converters(register: Callable[[ConverterDescriptor], None]) -> None:
    """One converter: from safetensors, with what the extra `convert` brings."""
    register(
        ConverterDescriptor(
            name=_BUILDER,
            source="safetensors",
            target="onnx",
            quantizations=tuple(PRECISIONS),
            description="makes ONNX of safetensors with the model builder of ONNX Runtime GenAI",
        )
    )


@hookimpl
def camelid_converter(name: str) -> Converter | None:
    """The model builder; what it needs is imported here."""
    if name != _BUILDER:
        return None
    from camelid_onnx.building import OnnxBuilder
    from camelid_onnx.native import load_builder

    return OnnxBuilder(load_builder())


def _loaded_here(model: LoadedModel) -> TypeGuard[OnnxModel]:
    """Whether this plugin loaded the model; asked of foreign models too, for which nothing is imported."""
    backend = sys.modules.get("camelid_onnx.backend")
    return backend is not None and isinstance(model, backend.OnnxModel)
