"""Role five: places that models come from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import msgspec

from camelid.errors import RegistryError
from camelid.types.json import JsonObject
from camelid.types.names import ModelName

__all__ = (
    "UNKNOWN_SIZE",
    "BlobSource",
    "BlobStream",
    "BlobToSend",
    "LayerSource",
    "OnlyFromStartError",
    "Registry",
    "ResolvedModel",
    "TransientRegistryError",
)


UNKNOWN_SIZE: Final = -1
"""In place of a blob's bytes, where nobody says how many there are before the last one has come."""


class TransientRegistryError(RegistryError):
    """The registry cannot now, but perhaps in a moment (HTTP 429 and 5xx): the framework tries again, with pauses."""


class OnlyFromStartError(RegistryError):
    """A blob cannot be read from the middle: the framework begins anew, with one stream."""


class BlobSource(msgspec.Struct, frozen=True):
    """A blob that a registry can hand over."""

    digest: str
    """`sha256:` and 64 hex digits; empty if the registry does not know it before reading (a local file, or one at an
    address of which nobody says more)."""
    size: int
    """Bytes. `UNKNOWN_SIZE` only where the digest is unknown as well."""
    path: Path | None = None
    """Where the bytes already lie on this machine: the store links them instead of copying."""
    content: bytes | None = None
    """The bytes themselves, for small ones that the registry makes up."""
    url: str = ""
    """What `Registry.open` needs to find it; opaque to the framework. Without a digest it says which file it is, among
    those of all registries: an address."""
    version: str = ""
    """Without a digest: what is another one as soon as a byte is, such as an ETag. Then what an earlier try left is
    gone on with, and a file that is here is not fetched again; `open` must refuse to read another version. Without one
    the file is read in one go, from its beginning."""


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
"""An open blob; leaving the context closes it. Only `read(size)` is called; it may give less than that."""


class BlobToSend(msgspec.Struct, frozen=True):
    """A blob of a model that is being pushed."""

    media_type: str
    """Contract 13.2."""
    digest: str
    """`sha256:` and 64 hex digits."""
    size: int
    """Bytes."""
    path: Path
    """The file; nobody changes it."""
    origin: str = ""
    """The layer's `from`: the model it was taken over from, where a registry may find the blob already."""


class Registry(ABC):
    """A source of models. Registered through `camelid_registries`; its methods run on server threads and may block.

    Mechanism only: the framework reads blobs in parallel ranges, goes on where a connection broke, limits the speed,
    verifies digests and lengths, and shares one download among all who want it. It takes any `OSError` as a connection
    that broke, and tries again with pauses; a `RegistryError` ends the work, except `TransientRegistryError`. A call
    that does not return and tells no progress for two minutes is given up: what it does later changes nothing.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Short and unique: `ollama`, `packaged`."""

    @property
    def remote(self) -> bool:
        """Whether it asks other machines: then it comes after the local ones, and mirrors and limits hold for it."""
        return True

    @property
    def protocol(self) -> str:
        """Which names it is asked: `oci` for `oci://…`, `web` for addresses of files; empty for names that say none
        (`ModelName.protocol`).
        """
        return ""

    @abstractmethod
    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """What `name` stands for here; None if this registry does not know it, so that the next one is asked.

        Args:
            name: its transport is `http` where the client allowed that; its host may be a mirror's, from the settings.

        Raises:
            RegistryError: the registry should know it but failed.
            OSError: it cannot be reached.
        """

    def open(self, blob: BlobSource, offset: int) -> BlobStream:
        """The bytes of a blob from `offset` on, to be read in order. Called by several threads at once.

        Raises:
            OnlyFromStartError: `offset` is not 0, and it cannot be read from there.
            RegistryError: it cannot be had. Not called for blobs with a `path` or `content`.
            OSError: the connection broke; also from reading.
        """
        raise NotImplementedError

    def open_range(self, blob: BlobSource, offset: int, length: int) -> BlobStream:  # noqa: ARG002 - for those who can
        """As `open`, for a reader who wants `length` bytes and then closes the stream.

        Override it where a request can say so; more bytes do no harm.
        """
        return self.open(blob, offset)

    def can_push(self, name: ModelName) -> bool:  # noqa: ARG002 - the answer of registries that only give
        """Whether models can be sent here under that name. Must not ask the network."""
        return False

    def send(self, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Bring one blob to where `name` will be, unless it is there.

        Args:
            name: what is being pushed; transport and host as for `resolve`.
            blob: its digest and size are right.
            on_progress: to be called with the bytes sent so far, at least once a MiB; may block to limit the speed, and
                may raise to stop.

        Raises:
            RegistryError: it was refused.
            OSError: the connection broke; the framework calls again.
        """
        raise NotImplementedError

    def publish(self, name: ModelName, manifest: bytes) -> None:
        """Let the model appear, after all of its blobs were sent.

        Args:
            name: as for `send`.
            manifest: to be kept byte for byte.

        Raises:
            RegistryError: it was refused.
            OSError: the connection broke; the framework calls again.
        """
        raise NotImplementedError
