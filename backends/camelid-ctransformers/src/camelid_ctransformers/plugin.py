"""The hooks of the ctransformers backend. Importing this loads no native library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeGuard

from camelid import hookimpl
from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.loading import LoadOptions
from camelid_ctransformers.options import CTransformersOptions

if TYPE_CHECKING:
    from camelid import Decoder, LoadedModel
    from camelid_ctransformers.backend import CTransformersModel

__all__ = ("CAMELID_API",)

CAMELID_API = 1

_FORMATS = frozenset({"ggml", "gguf"})
_PRIORITY = -10
"""GGUF is read by it only where somebody asks for it: there is a better runtime for that."""


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """One backend, for GGML files and for some GGUF files."""
    register(
        BackendDescriptor(
            name="ctransformers",
            formats=_FORMATS,
            capabilities=frozenset({Capability.COMPLETION, Capability.LOGPROBS}),
            description="older GGML models on ctransformers, on CPU",
            options=CTransformersOptions,
            modules=("camelid_ctransformers.backend",),
            priority=_PRIORITY,
        )
    )


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load a GGML or GGUF file."""
    if artifact.format not in _FORMATS:
        return None
    from camelid_ctransformers.backend import CTransformersModel

    return CTransformersModel(artifact, options)


@hookimpl
def camelid_generator(model: LoadedModel) -> Decoder | None:
    """Its decoder."""
    return model.decoder() if _loaded_here(model) else None


def _loaded_here(model: LoadedModel) -> TypeGuard[CTransformersModel]:
    """Whether this plugin loaded the model; asked of foreign models too, for which nothing is imported."""
    backend = sys.modules.get("camelid_ctransformers.backend")
    return backend is not None and isinstance(model, backend.CTransformersModel)
