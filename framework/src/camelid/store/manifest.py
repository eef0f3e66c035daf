"""A model's manifest: which blobs it is made of (contract 13.2)."""

import msgspec

from camelid.errors import CorruptManifestError, RequestError
from camelid.store import media_types
from camelid.store.digests import parse_digest

__all__ = ("Layer", "Manifest", "decode_manifest", "encode_manifest")

_LARGEST = (1 << 63) - 1


class Layer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A blob and what it is for."""

    media_type: str
    digest: str
    """`sha256:` and 64 hex digits."""
    size: int
    """Bytes."""
    from_: str = msgspec.field(default="", name="from")
    """The model it was taken over from, or a source file's name."""
    name: str = ""
    """File or tensor name within a model of several."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The blobs of one model, in the order they were given."""

    schema_version: int = 2
    media_type: str = media_types.MANIFEST
    config: Layer
    layers: tuple[Layer, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all layers and the config."""
        return self.config.size + sum(layer.size for layer in self.layers)

    @property
    def digests(self) -> frozenset[str]:
        """Every blob it names."""
        return frozenset({self.config.digest, *(layer.digest for layer in self.layers)})

    def of_type(self, *kinds: str) -> tuple[Layer, ...]:
        """The layers of these media types, in order."""
        return tuple(layer for layer in self.layers if layer.media_type in kinds)


class _Written(msgspec.Struct, kw_only=True, rename="camel"):
    """As others write it: Go's encoder says null for an empty list."""

    schema_version: int = 2
    media_type: str = media_types.MANIFEST
    config: Layer
    layers: list[Layer] | None = None


def decode_manifest(content: bytes) -> Manifest:
    """Read a manifest, whoever wrote it.

    Raises:
        CorruptManifestError: it is no manifest, or names a blob by something that is no digest.
    """
    try:
        written = msgspec.json.decode(content, type=_Written)
        return Manifest(
            schema_version=written.schema_version,
            media_type=written.media_type,
            config=_checked(written.config),
            layers=tuple(_checked(layer) for layer in written.layers or ()),
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RequestError) as error:
        reason = error.reason if isinstance(error, RequestError) else str(error)
        raise CorruptManifestError("the manifest is corrupt", reason=reason) from error


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes to store: JSON and a newline."""
    return msgspec.json.encode(manifest) + b"\n"


def _checked(layer: Layer) -> Layer:
    if not 0 <= layer.size <= _LARGEST:
        raise RequestError("invalid layer", reason=f"a layer of {layer.size} bytes")
    return msgspec.structs.replace(layer, digest=parse_digest(layer.digest))
