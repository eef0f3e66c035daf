"""What is asked of the Hub: about a repository, and for its files."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote

import msgspec

from camelid.contracts.registry import BlobSource, TransientRegistryError
from camelid.errors import RegistryError
from camelid_huggingface.refusals import Repository, refusal, seconds_to_wait
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo
from camelid_huggingface.session import HubSession

if TYPE_CHECKING:
    import httpx

__all__ = ("Hub",)

_LISTING_LIMIT: Final = 32 << 20
_WAITS: Final = 3
_LONGEST_WAIT: Final = 20
"""Seconds that are waited if the Hub wants it; else the framework tries again when it likes."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Hub:
    """One Hub. Thread-safe; `huggingface_hub` is imported by the first request."""

    def __init__(self, endpoint: str = "", wait: Callable[[float], object] = time.sleep) -> None:
        """Bind.

        Args:
            endpoint: its base URL; empty for what `HF_ENDPOINT` says, else the public one.
            wait: sleeps for as many seconds as the Hub wants to be left alone.
        """
        self._session = HubSession(endpoint)
        self._wait = wait

    @property
    def endpoint(self) -> str:
        """Its base URL without a slash at the end."""
        return self._session.endpoint

    def describe(self, repository: Repository) -> RepositoryInfo:
        """What the Hub knows of the newest commit of a repository.

        Raises:
            TransientRegistryError: the Hub does not answer now.
            RegistryError: there is no such repository, or it may not be read.
        """
        url = f"{self.endpoint}/api/models/{repository.path}?blobs=true"
        content = self._fetch(url, repository, _LISTING_LIMIT)
        try:
            info = msgspec.json.decode(content, type=RepositoryInfo)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RegistryError(f"the Hub's answer about {repository} is not understood", reason=str(error)) from error
        if not _COMMIT.fullmatch(info.sha):
            raise RegistryError(
                f"the Hub's answer about {repository} is not understood",
                reason=f"{info.sha!r} is no commit",
            )
        return info

    def file_url(self, repository: Repository, commit: str, file: RepositoryFile) -> str:
        """Where a file's bytes are, as they were at a commit."""
        return f"{self.endpoint}/{repository.path}/resolve/{commit}/{quote(file.path)}"

    def read(self, repository: Repository, commit: str, file: RepositoryFile, limit: int) -> bytes:
        """A small file.

        Raises:
            TransientRegistryError: the Hub does not answer now.
            RegistryError: it is larger than `limit` bytes, or cannot be had.
        """
        return self._fetch(self.file_url(repository, commit, file), repository, limit)

    @contextmanager
    def open(self, blob: BlobSource, repository: Repository, offset: int, length: int) -> Iterator[BinaryIO]:
        """A part of a file.

        Args:
            blob: with a `file_url`.
            repository: whose file it is, for messages.
            offset: of its first byte.
            length: in bytes, more than none and no more than the file has after `offset`.

        Raises:
            OnlyFromStartError: the file's server does not know parts.
            TransientRegistryError: trying again may help.
            RegistryError: trying again is of no use.
            OSError: the connection broke; also from reading.
        """
        from camelid.contracts.distribution.blobs import part_of  # noqa: PLC0415 - HTTP is heavy

        asked = {"range": f"bytes={offset}-{offset + length - 1}"}
        with self._session.get_file(blob.url, asked) as response:
            _check(response, repository)
            yield part_of(response, blob, offset)

    def _fetch(self, url: str, repository: Repository, limit: int) -> bytes:
        """A small answer."""
        for _ in range(_WAITS):
            try:
                with self._session.get(url, {}) as response:
                    seconds = seconds_to_wait(response.headers)
                    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS or not 0 < seconds <= _LONGEST_WAIT:
                        _check(response, repository)
                        return _bounded(response, limit)
            except OSError as error:
                raise TransientRegistryError(f"the Hugging Face Hub does not answer: {error}", reason=url) from error
            self._wait(seconds)
        raise TransientRegistryError(
            "the Hugging Face Hub has too many requests from here: try again later", reason=url
        )


def _check(response: "httpx.Response", repository: Repository) -> None:
    if not response.is_success:
        raise refusal(response.status_code, response.headers, repository)


def _bounded(response: "httpx.Response", limit: int) -> bytes:
    from camelid.contracts.distribution.answers import connection_errors, public_url, read_limited  # noqa: PLC0415

    with connection_errors("GET", str(response.url)):
        content = read_limited(response, limit)
    if content is None:
        raise RegistryError("the Hub sends more than a file of this kind may have", reason=public_url(response.url))
    return content
