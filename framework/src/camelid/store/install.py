"""Bring a model that a registry knows into the store."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import msgspec

from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource, LayerSource, ResolvedModel
from camelid.errors import CorruptManifestError, DigestMismatchError, InvalidModelFileError, RegistryError, RequestError
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig, complete_config, decode_config, read_config
from camelid.store.digests import parse_digest
from camelid.store.file_names import name_parts
from camelid.store.formats import GGUF, ONNX, sniff_format
from camelid.store.gguf import read_header
from camelid.store.manifest import Layer, Manifest, decode_manifest
from camelid.store.onnx_folder import read_onnx_facts
from camelid.store.store import Store
from camelid.store.stored import StoredModel
from camelid.store.transfer import Transfers
from camelid.store.transfer_download import OpenRange
from camelid.types.json import JsonObject
from camelid.types.names import ModelName

__all__ = ("OnProgress", "install")

OnProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with a blob's digest (empty while it is unknown), its bytes, and those done. May raise to stop."""

_CONFIG_LIMIT = 16 << 20
_MOST_LAYERS = 4096


def install(
    store: Store,
    name: ModelName,
    resolved: ResolvedModel,
    open_range: OpenRange,
    on_progress: OnProgress,
    *,
    transfers: Transfers | None = None,
) -> StoredModel:
    """Store every layer, then the manifest. Blocks; whatever goes wrong, no model appears or changes.

    Args:
        store: where to.
        name: under which name.
        resolved: what the registry knows.
        open_range: how to read the blobs that are neither on this machine nor made up.
        on_progress: told about each blob, in order.
        transfers: of this store, shared by all who fetch; None for one of its own.

    Returns:
        The model as it stands in the store.

    Raises:
        RegistryError: what the registry gave is not what it announced.
        InvalidModelFileError: the model's file is broken.
        DiskFullError: no room; what was fetched is kept for the next try.
    """
    if len(resolved.layers) > _MOST_LAYERS:
        raise RegistryError(f"the registry's manifest of {name.short} has {len(resolved.layers)} layers: too many")
    written = None if resolved.manifest is None else _read_manifest(resolved.manifest, name)
    _check_names(resolved.layers if written is None else written.layers)
    with closing(ModelBuilder(store, ModelConfig())) as builder:
        blobs = _Blobs(store, builder.owner, open_range, on_progress, transfers or Transfers(store.blobs))
        blobs.require(layer.blob for layer in resolved.layers)
        digests = [blobs.bring(layer.blob) for layer in resolved.layers]
        if written is not None and (missing := written.digests - set(digests)):
            raise RegistryError(f"the registry left out blobs of {name.short}", reason=", ".join(sorted(missing)))
        content = resolved.manifest or _make_manifest(store, builder, resolved, digests)
        spelled = store.write(name, content, builder.owner)
    model = store.find(spelled)
    if model is None:
        raise RegistryError(f"{spelled.short} was deleted while it was stored: try again")
    return model


def _read_manifest(content: bytes, name: ModelName) -> Manifest:
    try:
        return decode_manifest(content)
    except CorruptManifestError as error:
        raise RegistryError(f"the registry's manifest of {name.short} is corrupt", reason=error.reason) from error


def _check_names(layers: Iterable[Layer | LayerSource]) -> None:
    """See that files of the model will lie in its folder."""
    for layer in layers:
        try:
            if layer.name:
                name_parts(layer.name)
        except RequestError as error:
            raise RegistryError(
                "the registry gives a file a name that leads out of the model's folder", reason=error.reason
            ) from error


class _Blobs:
    """Brings blobs from one registry into the store."""

    def __init__(
        self, store: Store, owner: object, open_range: OpenRange, on_progress: OnProgress, transfers: Transfers
    ) -> None:
        self._blobs = store.blobs
        self._origins = store.origins
        self._owner = owner
        self._open_range = open_range
        self._on_progress = on_progress
        self._transfers = transfers

    def require(self, sources: Iterable[BlobSource]) -> None:
        """See that there is room for what will be fetched."""
        wanted = (_checked(blob) for blob in sources if blob.path is None and blob.content is None)
        self._transfers.require(blob for blob in wanted if not self._is_here(blob))

    def _is_here(self, blob: BlobSource) -> bool:
        """Whether the store has that blob, and it is as large as announced: else it will be fetched."""
        digest = blob.digest or self._origins.find(blob)
        return bool(digest) and self._blobs.has(digest) and self._blobs.size(digest) == blob.size

    def bring(self, blob: BlobSource) -> str:
        """Store one blob, unless it is here; its digest."""
        blob = _checked(blob)
        known = blob.digest or self._origins.find(blob)
        if known and self._blobs.touch(known, self._owner, size=blob.size):
            self._on_progress(known, blob.size, blob.size)
            return known
        try:
            if blob.path is not None:
                digest = self._link(blob, blob.path)
            elif blob.content is not None:
                digest = self._write(blob.content, blob.digest)
            else:
                digest = self._fetch(blob)
        except DigestMismatchError as error:
            raise RegistryError(
                f"digest mismatch, file must be downloaded again: want {blob.digest}, {error.reason}"
            ) from error
        size = self._blobs.size(digest)
        self._on_progress(digest, size, size)
        return digest

    def _link(self, blob: BlobSource, path: Path) -> str:
        return self._blobs.link(path, self._owner, expected=blob.digest, on_progress=self._told(blob))

    def _write(self, content: bytes, expected: str) -> str:
        with self._blobs.writer(self._owner) as writer:
            writer.write(content)
            return writer.commit(expected)

    def _fetch(self, blob: BlobSource) -> str:
        digest = self._transfers.fetch(blob, self._open_range, self._told(blob))
        if not self._blobs.touch(digest, self._owner):
            raise RegistryError("a blob went missing while its model was fetched: try again", reason=digest)
        if not blob.digest:
            self._origins.remember(blob, digest)
            self._told(blob)(self._blobs.size(digest))  # the last that is heard of it under no name
        return digest

    def _told(self, blob: BlobSource) -> Callable[[int], None]:
        """What tells how many bytes of a blob are done."""
        return lambda completed: self._on_progress(blob.digest, max(0, blob.size), completed)


def _checked(blob: BlobSource) -> BlobSource:
    """The blob, with its canonical digest if the registry knows one."""
    if blob.size < 0 and (blob.digest or blob.size != UNKNOWN_SIZE):
        raise RegistryError("the registry did not say how large a file is", reason=f"{blob.size} bytes")
    try:
        return msgspec.structs.replace(blob, digest=parse_digest(blob.digest)) if blob.digest else blob
    except RequestError as error:
        raise RegistryError("the registry named a file by something that is no digest", reason=error.reason) from error


def _make_manifest(store: Store, builder: ModelBuilder, resolved: ResolvedModel, digests: list[str]) -> Manifest:
    """The manifest of a model whose registry has none, with the config that its files ask for."""
    raw: JsonObject = dict(resolved.config)
    for source, digest in zip(resolved.layers, digests, strict=True):
        if source.media_type == media_types.CONFIG:
            _known, written = decode_config(store.blobs.read(digest, _CONFIG_LIMIT))
            raw = {**written, **raw}
        else:
            builder.add_blob(source.media_type, digest, source.name)
    main = next((layer for layer in builder.layers if layer.media_type == media_types.MODEL), None)
    if main is None:
        raise RegistryError("the registry has no model file under this name")
    try:
        builder.config = _completed(store, read_config(raw), main, builder.layers)
    except msgspec.ValidationError as error:
        raise RegistryError("the registry's config of this model is wrong", reason=str(error)) from error
    return builder.manifest(raw)


def _completed(store: Store, config: ModelConfig, main: Layer, layers: Sequence[Layer]) -> ModelConfig:
    path = store.blobs.path(main.digest)
    model_format = config.model_format or sniff_format(path)
    if model_format is None:
        raise InvalidModelFileError("the model's file is of an unknown format", reason=f"blob {main.digest}")
    config = msgspec.structs.replace(config, model_format=model_format)
    if model_format == GGUF:
        # All pieces: of one whose length and digest nobody knew, only its header tells that the end is missing.
        pieces = [layer for layer in layers if layer.media_type == media_types.MODEL]
        headers = {piece.digest: read_header(store.blobs.path(piece.digest)) for piece in pieces}
        return complete_config(config, headers[main.digest])
    files = {layer.name: store.blobs.path(layer.digest) for layer in layers if layer.name}
    return read_onnx_facts(files).complete(config) if model_format == ONNX and files else config
