"""Manifests: which blobs a model is made of (contract 13.2, 14.1)."""

import re
from typing import Final

import msgspec

from camelid.contracts.distribution.answers import read_limited, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import BlobSource, LayerSource, ResolvedModel
from camelid.errors import RegistryError
from camelid.types.names import ModelName

__all__ = ("MANIFEST", "fetch_manifest", "put_manifest", "repository_url")

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_LARGEST: Final = 4 << 20
"""Bytes of a manifest; real ones have a few thousand."""
_MOST_LAYERS: Final = 4096
_MOST_BYTES: Final = (1 << 63) - 1
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class _Layer(msgspec.Struct, rename="camel"):
    media_type: str
    digest: str
    size: int
    name: str = ""


class _Manifest(msgspec.Struct):
    config: _Layer
    layers: list[_Layer] | None = None


def repository_url(name: ModelName) -> str:
    """Where a model's repository is: `https://host/v2/namespace/model`."""
    return f"{name.scheme}://{name.host}/v2/{name.namespace}/{name.model}"


def fetch_manifest(client: Client, name: ModelName) -> ResolvedModel | None:
    """What a name stands for; None if the host does not know it.

    Raises:
        RegistryError: the host refused, or what it sent is no manifest of a model.
        OSError: the host cannot be reached.
    """
    base = repository_url(name)
    with client.request("GET", f"{base}/manifests/{name.tag}", headers={"Accept": MANIFEST}) as response:
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            refuse(response)
        content = read_limited(response, _LARGEST)
    if content is None:
        raise RegistryError("the registry's manifest is too large", reason=f"more than {_LARGEST} bytes")
    try:
        manifest = msgspec.json.decode(content, type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError("what the registry sent is no manifest of a model", reason=str(error)) from error
    layers = [*(manifest.layers or ()), manifest.config]
    if len(layers) > _MOST_LAYERS:
        raise RegistryError(f"the registry's manifest has {len(layers)} layers: too many")
    return ResolvedModel(layers=tuple(_source(base, layer) for layer in layers), manifest=content)


def put_manifest(client: Client, name: ModelName, manifest: bytes) -> None:
    """Let a model appear at its host.

    Raises:
        RegistryError: the host refused.
        OSError: the connection broke.
    """
    url = f"{repository_url(name)}/manifests/{name.tag}"
    headers = {"Content-Type": MANIFEST, "Content-Length": str(len(manifest))}
    with client.request("PUT", url, headers=headers, body=lambda: (manifest,)) as response:
        if response.status_code >= 300:
            refuse(response)


def _source(base: str, layer: _Layer) -> LayerSource:
    # The digest becomes a part of a URL: nothing but a digest may stand there.
    if not _DIGEST.fullmatch(layer.digest) or not 0 <= layer.size <= _MOST_BYTES:
        raise RegistryError(
            "the registry's manifest is corrupt", reason=f"{layer.digest[:100]!r} of {layer.size} bytes"
        )
    blob = BlobSource(digest=layer.digest, size=layer.size, url=f"{base}/blobs/{layer.digest}")
    return LayerSource(media_type=layer.media_type, blob=blob, name=layer.name)
