"""Reading blobs, in parts."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import BinaryIO, Final, cast

import httpx

from camelid.contracts.distribution.answers import connection_errors, public_url, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import UNKNOWN_SIZE, BlobSource, OnlyFromStartError
from camelid.errors import RegistryError

__all__ = ("open_range", "part_of", "size_of", "version_of")

_RANGE: Final = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)
_LONG_AGO: Final = timedelta(seconds=1)
_SIZE: Final = re.compile(r"\d{1,18}", re.ASCII)


@contextmanager
def open_range(client: Client, blob: BlobSource, offset: int, length: int) -> Iterator[BinaryIO]:
    """A part of a blob, to be read in order.

    Raises:
        OnlyFromStartError: the host sends whole blobs only.
        RegistryError: it has no such blob, or one of another size or version.
        OSError: the connection broke.
    """
    whole = offset == 0 and length >= blob.size
    headers = {} if whole else {"Range": f"bytes={offset}-{offset + length - 1}"}
    with client.request("GET", blob.url, headers=headers) as response:
        if response.status_code == 416:
            raise RegistryError(
                "the registry has fewer bytes than it announced", reason=f"{public_url(blob.url)} from {offset} on"
            )
        if response.status_code not in (200, 206):
            refuse(response, f"unexpected status code {response.status_code}")
        yield part_of(response, blob, offset)


def part_of(response: httpx.Response, blob: BlobSource, offset: int) -> BinaryIO:
    """What an answer with status 200 or 206 holds of a blob; reading it raises an `OSError` if the connection breaks.

    Raises:
        OnlyFromStartError: all of the blob, and `offset` is not 0.
        RegistryError: something else than its bytes from `offset` on.
    """
    _check_encoding(response, blob)
    _check_version(response, blob)
    if response.status_code == 206:
        _check_range(response, blob, offset)
    elif offset:
        raise OnlyFromStartError("the registry sends whole files only", reason=public_url(blob.url))
    _check_size(blob, response)
    return cast("BinaryIO", _Body(response, blob.url))


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


def version_of(response: httpx.Response) -> str:
    """What the host says that changes whenever a byte does (RFC 9110, 8.8); empty if it says nothing of the kind.

    That is the ETag unless it is weak, else when the file changed last, if that is so long ago that a later change must
    have another time.
    """
    etag: str = response.headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    last_modified: str = response.headers.get("last-modified", "")
    try:
        changed, now = map(parsedate_to_datetime, (last_modified, response.headers.get("date", "")))
        return last_modified if now - changed >= _LONG_AGO else ""
    except (TypeError, ValueError, OverflowError):  # no time, or only one of them with its zone
        return ""


def size_of(response: httpx.Response) -> int:
    """Bytes of the whole blob that an answer holds, or a part of; `UNKNOWN_SIZE` if it does not say."""
    ranged = response.status_code == 206
    match = _RANGE.fullmatch(response.headers.get("content-range", "")) if ranged else None
    told = match[2] if match else "" if ranged else response.headers.get("content-length", "")
    return int(told) if _SIZE.fullmatch(told) else UNKNOWN_SIZE


def _check_encoding(response: httpx.Response, blob: BlobSource) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise RegistryError(
            "the registry sends a file compressed, which it was not asked for",
            reason=f"{public_url(blob.url)}: {encoding[:100]!r}",
        )


def _check_version(response: httpx.Response, blob: BlobSource) -> None:
    if blob.version and version_of(response) != blob.version:
        raise RegistryError(
            "the file was changed while it was fetched: try again",
            reason=f"{public_url(blob.url)}: {version_of(response)[:200]!r} instead of {blob.version[:200]!r}",
        )


def _check_range(response: httpx.Response, blob: BlobSource, offset: int) -> None:
    header = response.headers.get("content-range", "")
    match = _RANGE.fullmatch(header)
    if match is None or int(match[1]) != offset:
        raise RegistryError(
            "the registry sends another part than was asked for", reason=f"{public_url(blob.url)}: {header[:100]!r}"
        )


def _check_size(blob: BlobSource, response: httpx.Response) -> None:
    told = size_of(response)
    if UNKNOWN_SIZE not in (told, blob.size) and told != blob.size:
        raise RegistryError(
            f"the registry {'sends more' if told > blob.size else 'has fewer bytes'} than it announced",
            reason=f"{public_url(blob.url)}: {told} bytes instead of {blob.size}",
        )
