"""Sending blobs, as far as all registries agree on it."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import httpx
import msgspec

from camelid.contracts.distribution.answers import public_url, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import BlobToSend
from camelid.errors import RegistryError

__all__ = ("Session", "begin_upload", "next_session", "read_part")

_CHUNK: Final = 1 << 16
"""Bytes; each must be sent within the timeout of a connection, on slow lines, too."""
_SMALLEST_PART: Final = "OCI-Chunk-Min-Length"
_SIZE: Final = re.compile(r"[0-9]{1,18}")


class Session(msgspec.Struct, frozen=True):
    """A blob that a registry waits for."""

    url: httpx.URL
    """Where it, or its next part, is to be sent."""
    smallest_part: int = 0
    """Bytes that each part must have but the last one."""


def begin_upload(client: Client, repository: str, blob: BlobToSend, origin: str = "") -> Session | None:
    """See whether a blob must be sent.

    Args:
        client: sends the requests.
        repository: its URL, without a slash at the end.
        blob: what is to be there.
        origin: another repository of the same host that may have it, as a path; empty if nobody knows one.

    Returns:
        A session for it; None if the blob is there, or the host took it from `origin`.

    Raises:
        RegistryError: the host refused.
        OSError: the connection broke.
    """
    with client.request("HEAD", f"{repository}/blobs/{blob.digest}") as response:
        if response.status_code == 200:
            return None
        if response.status_code != 404:
            refuse(response)
    url = httpx.URL(f"{repository}/blobs/uploads/")
    if origin:
        url = url.copy_merge_params({"mount": blob.digest, "from": origin})
    with client.request("POST", str(url), headers={"Content-Length": "0"}) as response:
        if response.status_code == 201:
            return None
        if response.status_code >= 300:
            refuse(response)
        smallest = _SIZE.fullmatch(response.headers.get(_SMALLEST_PART, ""))
        return Session(next_session(response, url), int(smallest[0]) if smallest else 0)


def next_session(response: httpx.Response, here: httpx.URL) -> httpx.URL:
    """Where an upload goes on, as the answer to a part of it says.

    Raises:
        RegistryError: it would go on unencrypted.
    """
    location = response.headers.get("docker-upload-location") or response.headers.get("location") or ""
    if not location:
        return here
    there = here.join(location)
    if here.scheme == "https" and there.scheme != "https":
        raise RegistryError(
            "the registry redirects to where nobody may follow", reason=f"{public_url(here)} -> {public_url(there)}"
        )
    return there


def read_part(blob: BlobToSend, offset: int, length: int, on_progress: Callable[[int], None]) -> Iterator[bytes]:
    """`length` bytes of a blob from `offset` on; `on_progress` hears where in the blob each piece ends.

    Raises:
        RegistryError: the file has become shorter.
    """
    sent = 0
    with blob.path.open("rb") as file:
        file.seek(offset)
        while sent < length:
            chunk = file.read(min(_CHUNK, length - sent))
            if not chunk:
                raise RegistryError("the model's file became shorter while it was sent", reason=str(blob.path))
            yield chunk
            sent += len(chunk)
            on_progress(offset + sent)
