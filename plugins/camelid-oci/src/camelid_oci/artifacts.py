"""Models as OCI registries have them.

A model of Camelid's is an OCI manifest with the layers as they are, their names in annotations; the manifest of the
store goes along in an annotation, so that what comes back is the same to the byte, and keeps its digest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from camelid.contracts.distribution import manifests
from camelid.contracts.distribution.client import Client
from camelid.contracts.distribution.manifests import Descriptor
from camelid.contracts.registry import LayerSource, ResolvedModel
from camelid.types.names import ModelName
from camelid_oci.index import MANIFEST, fetch_one
from camelid_oci.layers import TITLE, read_foreign
from camelid_oci.references import manifest_url, repository_url

__all__ = ("fetch_artifact", "put_artifact")

_ARTIFACT: Final = "application/vnd.camelid.model.v1"
_STORED: Final = "camelid.manifest"
"""The annotation with the store's manifest, as it is."""
_LAYER: Final = "application/vnd.ollama.image."
"""How the media types of Ollama's layers begin."""
_MODEL_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_SEVERAL: Final = frozenset({f"{_LAYER}json", f"{_LAYER}tensor"})
"""Layers that only models of several files have."""


class _Written(msgspec.Struct, rename="camel", omit_defaults=True):
    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}


class _Artifact(msgspec.Struct, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = MANIFEST
    artifact_type: str = _ARTIFACT
    config: _Written
    layers: list[_Written]
    annotations: dict[str, str]


def fetch_artifact(client: Client, name: ModelName) -> ResolvedModel | None:
    """What a name stands for; None if the host does not know it.

    Raises:
        RegistryError: the host refused, or what it sent is no model.
        OSError: the host cannot be reached.
    """
    content = fetch_one(client, name)
    if content is None:
        return None
    manifest = manifests.decode_manifest(content)
    repository, layers = repository_url(name), manifest.layers or []
    stored = (manifest.annotations or {}).get(_STORED, "").encode()
    if not stored and not (layers and all(layer.media_type.startswith(_LAYER) for layer in layers)):
        return read_foreign(layers, repository)
    kept = stored or (b"" if any(layer.annotations for layer in layers) else content)
    config = [manifest.config] if kept or manifest.config.media_type == _MODEL_CONFIG else []
    sources = (*_named(layers, repository), *(LayerSource(_MODEL_CONFIG, one.source(repository)) for one in config))
    return ResolvedModel(layers=sources, manifest=kept or None)


def put_artifact(client: Client, name: ModelName, manifest: bytes) -> None:
    """Let a model appear at its host.

    Raises:
        RegistryError: the host refused.
        OSError: the connection broke.
    """
    manifests.put_manifest(client, manifest_url(name), MANIFEST, _artifact(manifest))


def _artifact(manifest: bytes) -> bytes:
    """The OCI manifest of a model: the same for the same model."""
    stored = manifests.decode_manifest(manifest)
    counted: Counter[str] = Counter()
    layers = []
    for layer in stored.layers or ():
        kind = layer.media_type.rpartition(".")[2]
        counted[kind] += 1
        title = layer.name or (kind if counted[kind] == 1 else f"{kind}-{counted[kind]}")
        layers.append(_Written(layer.media_type, layer.digest, layer.size, {TITLE: title}))
    config = _Written(stored.config.media_type, stored.config.digest, stored.config.size)
    return msgspec.json.encode(_Artifact(config=config, layers=layers, annotations={_STORED: manifest.decode()}))


def _named(layers: Sequence[Descriptor], repository: str) -> Iterator[LayerSource]:
    """Layers that are a model's already."""
    several = any(layer.media_type in _SEVERAL for layer in layers)
    for layer in layers:
        name = layer.name or (layer.annotation(TITLE) if several else "")
        yield LayerSource(layer.media_type, layer.source(repository), name=name)
