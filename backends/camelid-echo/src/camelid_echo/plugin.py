"""The echo plugin's hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from camelid import hookimpl
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid_echo.options import EchoOptions

if TYPE_CHECKING:
    from camelid import Embedder, LoadedModel, MediaTokenizer, Ranker, Registry, Tokenizer
    from camelid.contracts.generation import Generator
    from camelid.types.artifact import ModelArtifact
    from camelid.types.loading import LoadOptions
    from camelid_echo.backend import EchoModel

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """Register the backend `echo`."""
    register(
        BackendDescriptor(
            name="echo",
            formats=frozenset({"echo"}),
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
                }
            ),
            description="answers with your own words",
            options=EchoOptions,
        )
    )


@hookimpl
def camelid_registries(register: Callable[[Registry], None]) -> None:
    """Register the source of the model `camelid/echo`."""
    from camelid_echo.registry import EchoRegistry

    register(EchoRegistry())


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load an echo model."""
    from camelid_echo.backend import EchoModel

    return EchoModel(artifact, options) if artifact.format == "echo" else None


@hookimpl
def camelid_tokenizer() -> Tokenizer:
    """Its tokenizer: bytes."""
    from camelid_echo.backend import EchoTokenizer

    return EchoTokenizer()


@hookimpl
def camelid_generator(model: EchoModel) -> Generator:
    """Its generator, in the tier that the options ask for."""
    from camelid_echo.tiers import echo_generator

    return echo_generator(model)


@hookimpl
def camelid_embedder(model: EchoModel) -> Embedder:
    """Its embedder: how often each byte occurs."""
    from camelid_echo.backend import EchoEmbedder

    return EchoEmbedder(model)


@hookimpl
def camelid_ranker(model: EchoModel) -> Ranker:
    """Its ranker: what of the query a document says again."""
    from camelid_echo.backend import EchoRanker

    return EchoRanker(model)


@hookimpl
def camelid_media_tokenizer() -> MediaTokenizer:
    """Its media tokenizer: pictures as words."""
    from camelid_echo.media import EchoMediaTokenizer

    return EchoMediaTokenizer()
