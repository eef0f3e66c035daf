"""A model in the store, read from its manifest and its small blobs."""

import sys
from typing import TypeVar

import msgspec

from camelid.errors import BlobNotFoundError, CorruptManifestError, IncompleteModelError
from camelid.store import media_types
from camelid.store.blobs import BlobStore
from camelid.store.config import ModelConfig, decode_config
from camelid.store.formats import GGUF
from camelid.store.manifest import Layer, Manifest
from camelid.store.summary import HeaderSummary
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.json import JsonObject
from camelid.types.messages import Message
from camelid.types.names import ModelName

__all__ = ("StoredModel", "read_stored")

_SMALL = 16 << 20
_T = TypeVar("_T")


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a model without loading it."""

    name: ModelName
    """As spelled on the disk."""
    digest: str
    """64 hex digits: the SHA-256 of the manifest's bytes."""
    modified_at: float
    """Epoch seconds at which the manifest was written."""
    manifest: Manifest
    config: ModelConfig
    artifact: ModelArtifact
    """What a backend needs; paths are absolute."""
    template: str | None = None
    """Go template; None if there is no such layer."""
    system: str = ""
    params: JsonObject = {}
    messages: tuple[Message, ...] = ()
    licenses: tuple[str, ...] = ()
    header: HeaderSummary | None = None
    """Of the main file; None if it is no GGUF file, or a broken one. `Store.header` has all of it."""
    projector: HeaderSummary | None = None
    """Of the first projector."""

    @property
    def size(self) -> int:
        """Bytes of all layers and the config."""
        return self.manifest.size

    @property
    def parent(self) -> str:
        """The model it was made from; empty if there is none."""
        return next((layer.from_ for layer in self.manifest.of_type(media_types.MODEL) if layer.from_), "")


class _Turn(msgspec.Struct):
    role: str = ""
    content: str = ""


def read_stored(blobs: BlobStore, name: ModelName, digest: str, modified_at: float, manifest: Manifest) -> StoredModel:
    """Read a model's small blobs; the headers of its files are left out.

    Raises:
        IncompleteModelError: a blob is missing.
        CorruptManifestError: a blob is not what the manifest says it is.
        StoreError: a blob cannot be read.
    """
    try:
        config, raw = decode_config(blobs.read(manifest.config.digest, _SMALL))
        templates = manifest.of_type(media_types.TEMPLATE, media_types.PROMPT)
        return StoredModel(
            name=name,
            digest=digest,
            modified_at=modified_at,
            manifest=manifest,
            config=config,
            artifact=ModelArtifact(
                name=name.short,
                format=config.model_format or GGUF,
                files=tuple(
                    ModelFile(
                        path=str(blobs.path(layer.digest)),
                        role=media_types.FILE_ROLES[layer.media_type],
                        size=layer.size,
                        digest=layer.digest,
                        name=layer.name,
                    )
                    for layer in manifest.of_type(*media_types.FILE_ROLES)
                ),
                config=raw,
            ),
            template=_text(blobs, templates[-1]) if templates else None,
            system="".join(_text(blobs, layer) for layer in manifest.of_type(media_types.SYSTEM)[-1:]),
            params=_json(blobs, manifest.of_type(media_types.PARAMS), dict[str, object], {}),
            messages=tuple(
                Message(role=turn.role, content=turn.content)
                for turn in _json(blobs, manifest.of_type(media_types.MESSAGES), list[_Turn], [])
            ),
            licenses=tuple(_text(blobs, layer) for layer in manifest.of_type(media_types.LICENSE)),
        )
    except BlobNotFoundError as error:
        raise IncompleteModelError(
            f"model {name.short} is incomplete: pull or create it again", reason=error.message
        ) from error


def _text(blobs: BlobStore, layer: Layer) -> str:
    # Many models share their license and their template: in memory each is there once.
    return sys.intern(blobs.read(layer.digest, _SMALL).decode("utf-8", "replace"))


def _json(blobs: BlobStore, layers: tuple[Layer, ...], kind: type[_T], default: _T) -> _T:
    """The last of these layers, decoded; `null` and no layer at all are the default."""
    if not layers:
        return default
    try:
        found = msgspec.json.decode(blobs.read(layers[-1].digest, _SMALL), type=kind | None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = f"{layers[-1].media_type}: {error}"
        raise CorruptManifestError("a layer of the model is corrupt", reason=reason) from error
    return default if found is None else found
