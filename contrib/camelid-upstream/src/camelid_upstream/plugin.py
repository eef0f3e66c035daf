"""The upstream plugin's hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from camelid import hookimpl
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid_upstream.options import UpstreamOptions

if TYPE_CHECKING:
    from camelid import Engine, LoadedModel, Registry, Tokenizer
    from camelid.types.artifact import ModelArtifact
    from camelid.types.loading import LoadOptions
    from camelid_upstream.backend import UpstreamModel

__all__ = ("CAMELID_API",)

CAMELID_API = 1

_FORMAT = "upstream"


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """Register the backend `upstream`."""
    register(
        BackendDescriptor(
            name="upstream",
            formats=frozenset({_FORMAT}),
            capabilities=frozenset({Capability.COMPLETION, Capability.TOKENIZE, Capability.BATCHING}),
            description="models that another server computes",
            options=UpstreamOptions,
        )
    )


@hookimpl
def camelid_registries(register: Callable[[Registry], None]) -> None:
    """Register the models that upstreams have."""
    from camelid_upstream.registry import UpstreamRegistry

    register(UpstreamRegistry())


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load a model's description."""
    from camelid_upstream.backend import UpstreamModel

    return UpstreamModel(artifact, options) if artifact.format == _FORMAT else None


@hookimpl
def camelid_tokenizer() -> Tokenizer:
    """Its tokenizer: bytes."""
    from camelid_upstream.backend import ByteTokenizer

    return ByteTokenizer()


@hookimpl
def camelid_generator(model: UpstreamModel) -> Engine:
    """Its generator."""
    from camelid_upstream.engine import UpstreamEngine

    return UpstreamEngine(model)
