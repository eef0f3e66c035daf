"""Sending blobs: a session, and all bytes in one request."""

from collections.abc import Callable, Iterator

from camelid.contracts.distribution.answers import refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.distribution.uploads import begin_upload, read_part
from camelid.contracts.registry import BlobToSend
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_oci.references import repository_at, repository_url

__all__ = ("upload",)


def upload(client: Client, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
    """Bring a blob to a repository, unless it is there or another repository of the host lends it.

    Raises:
        RegistryError: the host refused it, or the name ends in a digest, which nothing can be sent to.
        OSError: the connection broke; nothing of what was sent counts.
    """
    if name.digest:
        raise RegistryError("a model is pushed to a tag, not to a digest: copy it to a name with a tag first")
    session = begin_upload(client, repository_url(name), blob, repository_at(name, blob.origin))
    if session is None:
        return
    url = session.copy_merge_params({"digest": blob.digest})
    headers = {"Content-Length": str(blob.size), "Content-Type": "application/octet-stream"}

    def body() -> Iterator[bytes]:
        return read_part(blob, 0, blob.size, on_progress)

    with client.request("PUT", str(url), headers=headers, body=body) as response:
        if response.status_code != 201:
            refuse(response)
