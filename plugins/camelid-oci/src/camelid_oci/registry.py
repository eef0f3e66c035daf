"""OCI registries as a source and a destination of models."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from camelid.contracts.registry import BlobSource, BlobStream, BlobToSend, Registry, ResolvedModel
from camelid.types.names import ModelName

if TYPE_CHECKING:
    from camelid.contracts.distribution.client import Client

__all__ = ("OciRegistry",)


class OciRegistry(Registry):
    """Asks the host of names that begin with `oci://`. Nothing of HTTP is imported before the first question."""

    @property
    def name(self) -> str:
        """`oci`."""
        return "oci"

    @property
    def protocol(self) -> str:
        """`oci`."""
        return "oci"

    @cached_property
    def _client(self) -> "Client":
        from camelid.contracts.distribution.client import Client  # noqa: PLC0415 - HTTP is heavy, and often nobody pulls
        from camelid_oci.authorization import DockerLogins  # noqa: PLC0415 - as above

        return Client(DockerLogins())

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """The model that the artifact holds; None if the host answers 404.

        Raises:
            RegistryError: the host refused, or what it sent is no model.
            OSError: it cannot be reached.
        """
        from camelid_oci.artifacts import fetch_artifact  # noqa: PLC0415 - as above

        return fetch_artifact(self._client, name)

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
        from camelid_oci.uploads import upload  # noqa: PLC0415 - as above

        upload(self._client, name, blob, on_progress)

    def publish(self, name: ModelName, manifest: bytes) -> None:
        """Put an OCI manifest with the store's in it.

        Raises:
            RegistryError: the host refused it.
            OSError: the connection broke.
        """
        from camelid_oci.artifacts import put_artifact  # noqa: PLC0415 - as above

        put_artifact(self._client, name, manifest)
