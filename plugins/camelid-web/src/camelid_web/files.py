"""Asking for files of which nothing is known but the address."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

import httpx

from camelid.contracts.distribution.answers import public_url, refuse
from camelid.contracts.distribution.authorization import Authorization
from camelid.contracts.distribution.blobs import open_range, size_of, version_of
from camelid.contracts.distribution.client import Client
from camelid.contracts.gguf_values import MAGIC
from camelid.contracts.registry import BlobSource
from camelid.errors import RegistryError

__all__ = ("NoLogin", "find_files", "open_file")

_PIECE: Final = re.compile(
    r"(?P<stem>[^?]+)-\d{5}-of-(?P<count>\d{5})(?P<rest>\.gguf(?:\?.*)?)", re.ASCII | re.IGNORECASE
)
_MOST_PIECES: Final = 512
_FIRST_BYTE: Final = {"Range": "bytes=0-0"}
"""All hosts that hand out files answer this, also those that know no HEAD; how, tells size and version."""


class NoLogin(Authorization):
    """Has nothing to show."""

    def answer(self, http: httpx.Client, url: httpx.URL, challenge: str) -> str:  # noqa: ARG002 - there is no answer
        """Refuse.

        Raises:
            RegistryError: always.
        """
        raise RegistryError(
            f"unauthorized: access denied: {url.host} wants a login, and addresses have none; "
            "fetch the file yourself and make a model of it",
            reason=public_url(url),
        )


def find_files(client: Client, address: str) -> tuple[BlobSource, ...] | None:
    """The file at an address, or all pieces of the model that it is a piece of; None if the host has no such file.

    Raises:
        TransientRegistryError: the host cannot now.
        RegistryError: it refused, or has some of the pieces only.
        OSError: it cannot be reached.
    """
    addresses = _pieces(address)
    files: list[BlobSource] = []
    for place in addresses:
        file = _find(client, place)
        if file is None and not files:
            return None
        if file is None:
            raise RegistryError(
                f"{len(addresses)} files make this model, and the host does not have all of them",
                reason=public_url(place),
            )
        files.append(file)
    return tuple(files)


@contextmanager
def open_file(client: Client, blob: BlobSource, offset: int, length: int) -> Iterator[BinaryIO]:
    """A part of a file, to be read in order.

    Raises:
        RegistryError: the host refused it, has another version of it, or it is no GGUF file.
        OSError: the connection broke.
    """
    with open_range(client, blob, offset, length) as body:
        yield body if offset else cast("BinaryIO", _Model(body, blob.url))


class _Model(io.RawIOBase):
    """A file from its first byte, which must be one of a GGUF file: many hosts have a page for whatever is missing."""

    def __init__(self, body: BinaryIO, url: str) -> None:
        self._body = body
        self._url = url
        self._seen = b""

    def read(self, size: int = -1) -> bytes:
        """What comes next; nothing at the end.

        Raises:
            RegistryError: it is no GGUF file.
            OSError: the connection broke.
        """
        piece = self._body.read(size)
        if len(self._seen) < len(MAGIC):
            ended, self._seen = not piece, (self._seen + piece)[: len(MAGIC)]
            if not MAGIC.startswith(self._seen) or (ended and size):
                raise _no_model(self._url, f"it begins with {self._seen!r}")
        return piece


def _no_model(url: str, reason: str) -> RegistryError:
    return RegistryError(
        f"there is no GGUF file at {public_url(url)}: open the address in a browser and look", reason=reason
    )


def _find(client: Client, url: str) -> BlobSource | None:
    with client.request("GET", url, headers=_FIRST_BYTE) as response:
        if response.status_code in (404, 410):
            return None
        if response.status_code not in (200, 206):
            refuse(response, f"{response.url.host} answers with status {response.status_code}")
        if size_of(response) == 0:
            raise _no_model(url, "it is empty")
        return BlobSource(digest="", size=size_of(response), url=url, version=version_of(response))


def _pieces(address: str) -> list[str]:
    """The addresses of all pieces, or the only one."""
    matched = _PIECE.fullmatch(address)
    if matched is None:
        return [address]
    count = int(matched["count"])
    if not 0 < count <= _MOST_PIECES:
        raise RegistryError(f"a model can be in {_MOST_PIECES} files at most", reason=f"{count} pieces")
    return [f"{matched['stem']}-{place:05}-of-{count:05}{matched['rest']}" for place in range(1, count + 1)]
