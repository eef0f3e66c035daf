"""Role five: places that models come from."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from camelid.types.json import JsonObject
from camelid.types.names import ModelName

__all__ = ("BlobSource", "LayerSource", "Registry", "ResolvedModel")


class BlobSource(msgspec.Struct, frozen=True):
    """A blob that a registry can hand over."""

    digest: str
    """`sha256:` and 64 hex digits; empty if the registry does not know it before reading (a local file)."""
    size: int
    """Bytes."""
    path: Path | None = None
    """Where the bytes already lie on this machine: the store links them instead of copying."""
    content: bytes | None = None
    """The bytes themselves, for small ones that the registry makes up."""
    url: str = ""
    """What `Registry.open` needs to find it; opaque to the framework."""


class LayerSource(msgspec.Struct, frozen=True):
    """A layer of a model and where its bytes are."""

    media_type: str
    """Contract 13.2."""
    blob: BlobSource
    name: str = ""
    """File name within a model of several files."""


class ResolvedModel(msgspec.Struct, frozen=True):
    """What a registry knows of a name."""

    layers: tuple[LayerSource, ...]
    config: JsonObject = {}
    """The config blob's fields that the registry knows (contract 13.3); the store adds what the files say."""
    manifest: bytes | None = None
    """The registry's own manifest, to be stored byte for byte."""


BlobStream: TypeAlias = AbstractContextManager[BinaryIO]
"""An open blob; leaving the context closes it."""


class Registry(ABC):
    """A source of models. Registered through `camelid_registries`; its methods run on server threads and may block."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Short and unique: `ollama`, `packaged`."""

    @abstractmethod
    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """What `name` stands for here; None if this registry does not know it, so that the next one is asked.

        Raises:
            RegistryError: the registry should know it but failed.
        """

    def open(self, blob: BlobSource, offset: int) -> BlobStream:
        """The bytes of a blob from `offset` on, to be read in order.

        Raises:
            RegistryError: it cannot be had. Not called for blobs with a `path` or `content`.
        """
        raise NotImplementedError
