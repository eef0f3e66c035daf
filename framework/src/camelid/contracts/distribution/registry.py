"""A registry that is asked by the distribution protocol."""

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from camelid.contracts.registry import BlobSource, BlobStream, BlobToSend, Registry, ResolvedModel
from camelid.types.names import ModelName

if TYPE_CHECKING:
    from camelid.contracts.distribution.authorization import Authorization
    from camelid.contracts.distribution.client import Client

__all__ = ("DistributionRegistry",)


class DistributionRegistry(Registry):
    """Asks the host that a name says. A plugin says how it logs in, and what its manifests look like.

    Nothing of HTTP is imported before the first question: it is heavy, and often nobody pulls. Plugins import theirs in
    the four methods that they implement. All of these may raise `RegistryError`, where the host refused or sent what is
    no manifest, and `OSError`, where it cannot be reached.
    """

    @abstractmethod
    def authorization(self) -> "Authorization":
        """How this plugin logs in."""

    @abstractmethod
    def fetch(self, client: "Client", name: ModelName) -> ResolvedModel | None:
        """Ask for a model; None if the host answers 404."""

    @abstractmethod
    def upload(self, client: "Client", name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Send one blob, unless the host has it or can take it from another repository."""

    @abstractmethod
    def put(self, client: "Client", name: ModelName, manifest: bytes) -> None:
        """Publish a model whose blobs are there, given the store's manifest of it."""

    @cached_property
    def _client(self) -> "Client":
        from camelid.contracts.distribution.client import Client  # noqa: PLC0415 - HTTP is heavy

        return Client(self.authorization())

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """The model; None if the host answers 404.

        Raises:
            RegistryError: the host refused, or what it sent is no manifest.
            OSError: it cannot be reached.
        """
        return self.fetch(self._client, name)

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
        """Upload one blob.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        self.upload(self._client, name, blob, on_progress)

    def publish(self, name: ModelName, manifest: bytes) -> None:
        """Put the manifest.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        self.put(self._client, name, manifest)
