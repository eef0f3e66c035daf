"""Hosts that speak Ollama's protocol, as a source and a destination of models (contract 14)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from camelid.contracts.distribution.registry import DistributionRegistry
from camelid.contracts.registry import BlobToSend, ResolvedModel
from camelid.types.names import ModelName

if TYPE_CHECKING:
    from camelid.contracts.distribution.authorization import Authorization
    from camelid.contracts.distribution.client import Client

__all__ = ("OllamaRegistry",)


class OllamaRegistry(DistributionRegistry):
    """Asks the host that a name says."""

    @property
    def name(self) -> str:
        """`ollama`."""
        return "ollama"

    def authorization(self) -> "Authorization":
        """With tokens that are asked for with a signature."""
        from camelid_ollama_registry.tokens import SignedTokens  # noqa: PLC0415 - HTTP is heavy

        return SignedTokens()

    def fetch(self, client: "Client", name: ModelName) -> ResolvedModel | None:
        """A manifest, kept byte for byte."""
        from camelid_ollama_registry.manifest import fetch_manifest  # noqa: PLC0415 - as above

        return fetch_manifest(client, name)

    def upload(self, client: "Client", name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Send one blob, unless the host has it or can take it from another repository."""
        from camelid_ollama_registry.upload import upload  # noqa: PLC0415 - as above

        upload(client, name, blob, on_progress)

    def put(self, client: "Client", name: ModelName, manifest: bytes) -> None:
        """Put the manifest as it is."""
        from camelid_ollama_registry.manifest import put_manifest  # noqa: PLC0415 - as above

        put_manifest(client, name, manifest)
