"""Sending blobs (contract 14.4)."""

from collections.abc import Callable, Iterator
from hashlib import md5
from typing import Final

import httpx

from camelid.contracts.distribution.answers import public_url, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.distribution.uploads import begin_upload, next_session, read_part
from camelid.contracts.registry import BlobToSend
from camelid.errors import RegistryError, RequestError
from camelid.types.names import ModelName
from camelid_ollama_registry.manifest import repository_url

__all__ = ("upload",)

_SMALLEST_PART: Final = 100_000_000
_LARGEST_PART: Final = 1_000_000_000
_PARTS: Final = 16


def upload(client: Client, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
    """Bring a blob to a repository, unless it is there or another repository of the host lends it.

    Raises:
        RegistryError: the host refused it.
        OSError: the connection broke; nothing of what was sent counts.
    """
    session = begin_upload(client, repository_url(name), blob, _origin_of(name, blob))
    if session is not None:
        _Upload(client, blob, on_progress).run(session.url)


def _origin_of(name: ModelName, blob: BlobToSend) -> str:
    """The repository at the same host that the blob was taken over from; empty if nobody knows."""
    try:
        origin = ModelName.parse(blob.origin)
    except RequestError:
        return ""
    return f"{origin.namespace}/{origin.model}" if origin.host.lower() == name.host.lower() else ""


class _Upload:
    """One blob on its way, part after part."""

    def __init__(self, client: Client, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        self._client = client
        self._blob = blob
        self._on_progress = on_progress
        self._sums: dict[int, bytes] = {}

    def run(self, session: httpx.URL) -> None:
        """Send everything, then say that it was all."""
        size = self._blob.size
        part = min(max(size // _PARTS, _SMALLEST_PART), _LARGEST_PART)
        for offset in range(0, size, part):
            session = self._send_part(session, offset, min(part, size - offset))
        etag = f"{md5(b''.join(self._sums.values()), usedforsecurity=False).hexdigest()}-{len(self._sums)}"
        last = session.copy_merge_params({"digest": self._blob.digest, "etag": etag})
        with self._client.request("PUT", str(last), headers={"Content-Length": "0"}) as response:
            if response.status_code >= 300:
                refuse(response)

    def _send_part(self, session: httpx.URL, offset: int, length: int) -> httpx.URL:
        """Send a part to the session, or to where the session says; where the next one goes."""
        headers = {
            "Content-Length": str(length),
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{offset}-{offset + length - 1}",
            "X-Redirect-Uploads": "1",
        }
        url = str(session)
        with self._client.request(
            "PATCH", url, headers=headers, body=self._body(offset, length), follow=False
        ) as reply:
            if reply.status_code >= 300 and reply.status_code != 307:
                refuse(reply)
            following = next_session(reply, session)
            elsewhere = session.join(reply.headers.get("location", "")) if reply.status_code == 307 else None
        if elsewhere is not None:
            self._put_part(session, elsewhere, offset, length)
        return following

    def _put_part(self, session: httpx.URL, url: httpx.URL, offset: int, length: int) -> None:
        """Send a part to a storage host, which is told nothing of us: the address says all it needs."""
        if session.scheme == "https" and url.scheme != "https":
            raise RegistryError(
                "the registry redirects to where nobody may follow",
                reason=f"{public_url(session)} -> {public_url(url)}",
            )
        headers = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        body = self._body(offset, length)
        with self._client.request(
            "PUT", str(url), headers=headers, body=body, follow=False, authorized=False
        ) as response:
            if response.status_code >= 300:
                refuse(response)

    def _body(self, offset: int, length: int) -> Callable[[], Iterator[bytes]]:
        """Makes the bytes of a part."""

        def chunks() -> Iterator[bytes]:
            hashed = md5(usedforsecurity=False)
            for chunk in read_part(self._blob, offset, length, self._on_progress):
                hashed.update(chunk)
                yield chunk
            self._sums[offset] = hashed.digest()

        return chunks
