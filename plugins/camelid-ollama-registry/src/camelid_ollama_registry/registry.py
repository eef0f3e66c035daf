"""Hosts that speak Ollama's protocol, as a source and a destination of models (contract 14)."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from camelid.contracts.registry import BlobSource, BlobStream, BlobToSend, Registry, ResolvedModel
from camelid.types.names import ModelName

if TYPE_CHECKING:
    from camelid.contracts.distribution.client import Client

__all__ = ("OllamaRegistry",)


class OllamaRegistry(Registry):
    """Asks the host that a name says. Nothing of HTTP is imported before the first question."""

    @property
    def name(self) -> str:
        """`ollama`."""
        return "ollama"

    @cached_property
    def _client(self) -> "Client":
        from camelid.contracts.distribution.client import Client  # noqa: PLC0415 - HTTP is heavy, and often nobody pulls
        from camelid_ollama_registry.tokens import SignedTokens  # noqa: PLC0415 - as above

        return Client(SignedTokens())

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """The manifest of `name`, kept byte for byte; None if the host answers 404.

        Raises:
            RegistryError: the host refused, or what it sent is no manifest.
            OSError: it cannot be reached.
        """
        from camelid_ollama_registry.manifest import fetch_manifest  # noqa: PLC0415 - as above

        return fetch_manifest(self._client, name)

    def open(self, blob: BlobSource, offset: int) -> BlobStream:
        """The rest of a blob.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        return self.open_range(blob, offset, blob.size - offset)

    def open_range(self, blob: BlobSource, offset: int, length: int) -> BlobStream:
        """A part of a blob.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        from camelid.contracts.distribution.blobs import open_range  # noqa: PLC0415 - as above

        return open_range(self._client, blob, offset, length)

    def can_push(self, name: ModelName) -> bool:  # noqa: ARG002 - any host may
        """Yes: whether the host takes it, only the host knows."""
        return True

    def send(self, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Upload one blob, unless the host has it or can take it from another repository.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        from camelid_ollama_registry.upload import upload  # noqa: PLC0415 - as above

        upload(self._client, name, blob, on_progress)

    def publish(self, name: ModelName, manifest: bytes) -> None:
        """Put the manifest.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        from camelid_ollama_registry.manifest import put_manifest  # noqa: PLC0415 - as above

        put_manifest(self._client, name, manifest)
