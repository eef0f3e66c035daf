"""A model in the making: layers are stored one by one, and become visible together."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from camelid.errors import StoreError
from camelid.store import media_types
from camelid.store.config import ModelConfig, encode_config
from camelid.store.digests import digest_of, parse_digest
from camelid.store.manifest import Layer, Manifest
from camelid.store.store import Store
from camelid.store.stored import StoredModel
from camelid.types.json import JsonValue
from camelid.types.names import ModelName

__all__ = ("ModelBuilder",)


class ModelBuilder:
    """Collects layers. If nobody calls `write`, a later sweep removes what was stored. All methods may block."""

    def __init__(self, store: Store, config: ModelConfig) -> None:
        self._store = store
        self.owner = object()
        """In whose name blobs are stored."""
        self._statuses: dict[Layer, str] = {}
        self._disposable: set[str] = set()
        self.config = config
        """Fill it before `write`."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """In the order in which they will stand in the manifest."""
        return tuple(self._statuses)

    @property
    def statuses(self) -> tuple[str, ...]:
        """A line of progress for each layer (contract 7.7)."""
        return tuple(f"{status} {layer.digest}" for layer, status in self._statuses.items())

    def inherit(self, base: StoredModel) -> None:
        """Take over every layer of another model, which becomes the parent (contract 15.5).

        Raises:
            StoreError: a blob has gone.
        """
        for layer in base.manifest.layers:
            self._use(msgspec.structs.replace(layer, from_=base.name.short))
            self._disposable.add(layer.digest)  # a base may be replaced by what is made of it

    def add_blob(self, media_type: str, digest: str, name: str = "") -> Layer:
        """Add a layer whose blob is in the store already.

        Raises:
            RequestError: `invalid digest format`.
            BlobNotFoundError: the blob is not here.
        """
        size = self._store.blobs.size(digest)
        layer = Layer(media_type=media_type, digest=parse_digest(digest), size=size, name=name)
        self._use(layer)
        return layer

    def adopt(
        self,
        media_type: str,
        path: Path,
        *,
        name: str = "",
        instead: Layer | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Layer:
        """Add a layer from a file that was made in a workplace and moves into the store.

        Args:
            media_type: of the layer.
            path: the file.
            name: of a model of several files: what the file is called.
            instead: a layer whose place it takes.
            on_progress: called with the bytes hashed so far; may raise to stop.

        Raises:
            DiskFullError: no room.
        """
        digest = self._store.blobs.adopt(path, self.owner, on_progress=on_progress)
        self._disposable.add(digest)
        layer = Layer(media_type=media_type, digest=digest, size=self._store.blobs.size(digest), name=name)
        statuses = {**self._statuses, layer: "creating new layer"}
        if instead is not None:
            order = [layer if other == instead else other for other in self._statuses]
            statuses = {other: statuses[other] for other in order}
        self._statuses = statuses
        return layer

    def close(self) -> None:
        """The work is over, well or not: remove what was adopted or inherited and is in no model."""
        self._store.release(self.owner, self._disposable)

    def add(self, media_type: str, content: bytes) -> None:
        """Add a small layer.

        Raises:
            DiskFullError: no room.
        """
        known = self._store.blobs.has(digest_of(content))
        layer = self._put(media_type, content)
        if layer not in self._statuses:
            self._statuses[layer] = "using existing layer" if known else "creating new layer"

    def replace(self, media_type: str, content: bytes, *also: str) -> None:
        """Add a small layer in place of those of its media type, and of the media types in `also`.

        Raises:
            DiskFullError: no room.
        """
        self.drop(media_type, *also)
        self.add(media_type, content)

    def drop(self, *kinds: str) -> None:
        """Leave out the layers of these media types."""
        self._statuses = {layer: line for layer, line in self._statuses.items() if layer.media_type not in kinds}

    def manifest(self, more: Mapping[str, JsonValue]) -> Manifest:
        """Store the config and give the finished manifest.

        Args:
            more: fields of the config that `ModelConfig` does not know.

        Raises:
            DiskFullError: no room.
        """
        config = self._put(media_types.CONFIG, encode_config({**more, **msgspec.to_builtins(self.config)}))
        return Manifest(config=config, layers=self.layers)

    def write(self, name: ModelName) -> ModelName:
        """Let the model appear under `name`.

        Returns:
            The name as it is spelled on the disk.

        Raises:
            DiskFullError: no room; what had that name before is untouched.
        """
        return self._store.write(name, self.manifest({}), self.owner)

    def _use(self, layer: Layer) -> None:
        if not self._store.blobs.touch(layer.digest, self.owner):
            raise StoreError(f"blob {layer.digest} went missing: pull or create the model again")
        self._statuses[layer] = "using existing layer"

    def _put(self, media_type: str, content: bytes) -> Layer:
        return Layer(media_type=media_type, digest=self._store.blobs.put(content, self.owner), size=len(content))
