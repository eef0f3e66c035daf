"""OCI registries as a source and a destination of models."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from camelid.contracts.distribution.registry import DistributionRegistry
from camelid.contracts.registry import BlobToSend, ResolvedModel
from camelid.types.names import ModelName

if TYPE_CHECKING:
    from camelid.contracts.distribution.authorization import Authorization
    from camelid.contracts.distribution.client import Client
    from camelid_oci.uploads import Uploads

__all__ = ("OciRegistry",)


class OciRegistry(DistributionRegistry):
    """Asks the host of names that begin with `oci://`."""

    @property
    def name(self) -> str:
        """`oci`."""
        return "oci"

    @property
    def protocol(self) -> str:
        """`oci`."""
        return "oci"

    def authorization(self) -> "Authorization":
        """With what Docker's configuration knows of the host."""
        from camelid_oci.authorization import DockerLogins  # noqa: PLC0415 - HTTP is heavy

        return DockerLogins()

    def fetch(self, client: "Client", name: ModelName) -> ResolvedModel | None:
        """The model that an artifact holds."""
        from camelid_oci.artifacts import fetch_artifact  # noqa: PLC0415 - as above

        return fetch_artifact(client, name)

    def upload(self, client: "Client", name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Send one blob, unless the host has it or can take it from another repository."""
        self._uploads.send(client, name, blob, on_progress)

    @cached_property
    def _uploads(self) -> "Uploads":
        from camelid_oci.uploads import Uploads  # noqa: PLC0415 - as above

        return Uploads()

    def put(self, client: "Client", name: ModelName, manifest: bytes) -> None:
        """Put an OCI manifest with the store's in it."""
        from camelid_oci.artifacts import put_artifact  # noqa: PLC0415 - as above

        put_artifact(client, name, manifest)
