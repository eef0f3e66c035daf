"""Manifests: which blobs a repository's tag stands for."""

import re
from typing import Final

import msgspec

from camelid.contracts.distribution.answers import read_limited, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import BlobSource
from camelid.errors import RegistryError

__all__ = ("Descriptor", "DistributedManifest", "decode_manifest", "fetch_manifest", "put_manifest")

_LARGEST: Final = 4 << 20
"""Bytes of a manifest; real ones have a few thousand."""
_MOST_LAYERS: Final = 4096
_MOST_BYTES: Final = (1 << 63) - 1
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A blob, and what it is for."""

    media_type: str
    digest: str
    size: int
    """Bytes."""
    name: str = ""
    """File name, as Ollama writes it."""
    annotations: dict[str, str] | None = None
    """As OCI knows them."""

    def annotation(self, key: str) -> str:
        """What it says of `key`; empty for nothing."""
        return (self.annotations or {}).get(key, "")

    def source(self, repository: str) -> BlobSource:
        """Where the blob is.

        Args:
            repository: its URL, without a slash at the end.

        Raises:
            RegistryError: it has no digest, or no size.
        """
        # The digest becomes a part of a URL: nothing but a digest may stand there.
        if not _DIGEST.fullmatch(self.digest) or not 0 <= self.size <= _MOST_BYTES:
            raise RegistryError(
                "the registry's manifest is corrupt", reason=f"{self.digest[:100]!r} of {self.size} bytes"
            )
        return BlobSource(digest=self.digest, size=self.size, url=f"{repository}/blobs/{self.digest}")


class DistributedManifest(msgspec.Struct, frozen=True):
    """What a manifest says; Docker's and OCI's have the same form."""

    config: Descriptor
    layers: list[Descriptor] | None = None
    annotations: dict[str, str] | None = None


def fetch_manifest(client: Client, url: str, accept: str) -> bytes | None:
    """The manifest at a URL; None if there is none.

    Args:
        client: asks.
        url: `…/manifests/REFERENCE`.
        accept: media types.

    Raises:
        RegistryError: the host refused, or sends too much.
        OSError: it cannot be reached.
    """
    with client.request("GET", url, headers={"Accept": accept}) as response:
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            refuse(response)
        content = read_limited(response, _LARGEST)
    if content is None:
        raise RegistryError("the registry's manifest is too large", reason=f"more than {_LARGEST} bytes")
    return content


def decode_manifest(content: bytes) -> DistributedManifest:
    """Read a manifest of one model.

    Raises:
        RegistryError: it is none, or has too many layers.
    """
    try:
        manifest = msgspec.json.decode(content, type=DistributedManifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError("what the registry sent is no manifest of a model", reason=str(error)) from error
    count = 1 + len(manifest.layers or ())
    if count > _MOST_LAYERS:
        raise RegistryError(f"the registry's manifest has {count} layers: too many")
    return manifest


def put_manifest(client: Client, url: str, media_type: str, content: bytes) -> None:
    """Let a manifest appear at a URL.

    Raises:
        RegistryError: the host refused.
        OSError: the connection broke.
    """
    headers = {"Content-Type": media_type, "Content-Length": str(len(content))}
    with client.request("PUT", url, headers=headers, body=lambda: (content,)) as response:
        if response.status_code >= 300:
            refuse(response)
