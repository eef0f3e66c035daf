"""The web as a source of models: whatever host an address names."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

from camelid.contracts.registry import BlobSource, BlobStream, LayerSource, Registry, ResolvedModel
from camelid.types.file_addresses import WEB
from camelid.types.names import ModelName

if TYPE_CHECKING:
    from camelid.contracts.distribution.client import Client

__all__ = ("WebFiles",)

_MODEL: Final = "application/vnd.ollama.image.model"


class WebFiles(Registry):
    """Asks for the file that a name is the address of. Nothing of HTTP is imported before that: it is heavy."""

    @property
    def name(self) -> str:
        """`web`."""
        return WEB

    @property
    def protocol(self) -> str:
        """`web`: addresses of files, with `https://` or `http://`."""
        return WEB

    @cached_property
    def _client(self) -> "Client":
        from camelid.contracts.distribution.client import Client  # noqa: PLC0415 - HTTP is heavy
        from camelid_web.files import NoLogin  # noqa: PLC0415 - as above

        return Client(NoLogin())

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """The file, or all pieces of it; None if the host has no such file.

        Raises:
            RegistryError: the host refused.
            OSError: it cannot be reached.
        """
        from camelid_web.files import find_files  # noqa: PLC0415 - as above

        blobs = find_files(self._client, name.address)
        if blobs is None:
            return None
        return ResolvedModel(tuple(LayerSource(_MODEL, blob) for blob in blobs), {"model_format": "gguf"})

    def open(self, blob: BlobSource, offset: int) -> BlobStream:
        """The rest of a file.

        Raises:
            RegistryError: the host refused it, has another version of it by now, or it is no model.
            OSError: the connection broke.
        """
        return self.open_range(blob, offset, blob.size - offset)

    def open_range(self, blob: BlobSource, offset: int, length: int) -> BlobStream:
        """A part of a file.

        Raises:
            RegistryError: as `open`.
            OSError: the connection broke.
        """
        from camelid_web.files import open_file  # noqa: PLC0415 - as above

        return open_file(self._client, blob, offset, length)
