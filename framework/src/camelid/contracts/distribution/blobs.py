"""Reading blobs, in parts."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

import httpx

from camelid.contracts.distribution.answers import connection_errors, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import BlobSource, OnlyFromStartError
from camelid.errors import RegistryError

__all__ = ("open_range",)

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@contextmanager
def open_range(client: Client, blob: BlobSource, offset: int, length: int) -> Iterator[BinaryIO]:
    """A part of a blob, to be read in order.

    Raises:
        OnlyFromStartError: the host sends whole blobs only.
        RegistryError: it has no such blob, or one of another size.
        OSError: the connection broke.
    """
    whole = offset == 0 and length >= blob.size
    headers = {} if whole else {"Range": f"bytes={offset}-{offset + length - 1}"}
    with client.request("GET", blob.url, headers=headers) as response:
        if response.status_code == 206:
            _check_range(response, blob, offset)
        elif response.status_code == 200:
            _check_whole(response, blob, offset)
        elif response.status_code == 416:
            raise RegistryError("the registry has fewer bytes than it announced", reason=f"{blob.url} from {offset} on")
        else:
            refuse(response, f"unexpected status code {response.status_code}")
        yield cast("BinaryIO", _Body(response, blob.url))


class _Body(io.RawIOBase):
    """The body of an answer."""

    def __init__(self, response: httpx.Response, url: str) -> None:
        self._chunks = response.iter_raw()
        self._url = url
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """What comes next, at most `size` bytes; nothing at the end."""
        if not self._rest:
            with connection_errors("GET", self._url):
                chunk = next(self._chunks, b"")
            if size < 0 or len(chunk) <= size:
                return chunk
            self._rest = memoryview(chunk)
        end = len(self._rest) if size < 0 else size
        piece, self._rest = self._rest[:end], self._rest[end:]
        return bytes(piece)


def _check_range(response: httpx.Response, blob: BlobSource, offset: int) -> None:
    header = response.headers.get("content-range", "")
    match = _RANGE.fullmatch(header)
    if match is None or int(match[1]) != offset:
        raise RegistryError(
            "the registry sends another part than was asked for", reason=f"{blob.url}: {header[:100]!r}"
        )
    _check_size(blob, match[3])


def _check_whole(response: httpx.Response, blob: BlobSource, offset: int) -> None:
    if offset:
        raise OnlyFromStartError("the registry sends whole files only", reason=blob.url)
    _check_size(blob, response.headers.get("content-length", "*"))


def _check_size(blob: BlobSource, told: str) -> None:
    if told.isdecimal() and int(told) != blob.size:
        more = "more" if int(told) > blob.size else "fewer bytes"
        raise RegistryError(
            f"the registry {'sends more' if more == 'more' else 'has fewer bytes'} than it announced",
            reason=f"{blob.url}: {told} bytes instead of {blob.size}",
        )
