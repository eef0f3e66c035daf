"""Manifests: which blobs a model is made of (contract 13.2, 14.1)."""

from typing import Final

from camelid.contracts.distribution import manifests
from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import LayerSource, ResolvedModel
from camelid.types.names import ModelName

__all__ = ("MANIFEST", "fetch_manifest", "put_manifest", "repository_url")

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"


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
    content = manifests.fetch_manifest(client, f"{base}/manifests/{name.tag}", MANIFEST)
    if content is None:
        return None
    manifest = manifests.decode_manifest(content)
    layers = (
        LayerSource(media_type=layer.media_type, blob=layer.source(base), name=layer.name)
        for layer in (*(manifest.layers or ()), manifest.config)
    )
    return ResolvedModel(layers=tuple(layers), manifest=content)


def put_manifest(client: Client, name: ModelName, manifest: bytes) -> None:
    """Let a model appear at its host.

    Raises:
        RegistryError: the host refused.
        OSError: the connection broke.
    """
    manifests.put_manifest(client, f"{repository_url(name)}/manifests/{name.tag}", MANIFEST, manifest)
