"""The plugin's hooks; none for the tokenizer: plugins that tokenize for others read the file's vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from camelid import hookimpl
from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.loading import LoadOptions

if TYPE_CHECKING:
    from camelid import Decoder, LoadedModel
    from camelid_numpy.backend import NumpyModel

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """Register the backend `numpy`; of low priority, for every other one is faster."""
    register(
        BackendDescriptor(
            name="numpy",
            formats=frozenset({"gguf"}),
            capabilities=frozenset({Capability.COMPLETION, Capability.LOGPROBS}),
            description="Llama in NumPy, to be read",
            priority=-100,
        )
    )


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load a GGUF file."""
    from camelid_numpy.backend import NumpyModel

    return NumpyModel(artifact, options) if artifact.format == "gguf" else None


@hookimpl
def camelid_generator(model: NumpyModel) -> Decoder:
    """Its decoder."""
    from camelid_numpy.backend import NumpyDecoder

    return NumpyDecoder(model)
