"""Speaking to the Hub, with the session, the headers and the token of `huggingface_hub`."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from camelid import __version__
from camelid.contracts.registry import OnlyFromStartError, TransientRegistryError
from camelid.errors import RegistryError
from camelid_huggingface.refusals import Repository, refusal, seconds_to_wait
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo
from camelid_huggingface.stream import ResponseBody

if TYPE_CHECKING:
    import httpx2

__all__ = ("Hub",)

_LISTING_LIMIT: Final = 32 << 20
_SECONDS_TO_CONNECT: Final = 10.0
_SECONDS_OF_SILENCE: Final = 60.0
"""A backstop; when a transfer counts as stalled is the framework's decision."""
_REDIRECTS: Final = 10
_WAITS: Final = 3
_LONGEST_WAIT: Final = 20
"""Seconds that are waited if the Hub wants it; else the framework tries again when it likes."""
_PLACES: Final = 256
_EXPIRED: Final = frozenset({401, 403, 404, 410})
"""What a server of files answers when its address with a signature has become too old."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class _Places:
    """Where the Hub sent us for files; the latest of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, str] = {}

    def find(self, url: str) -> str | None:
        with self._lock:
            return self._known.get(url)

    def remember(self, url: str, place: str) -> None:
        with self._lock:
            self._known.pop(url, None)
            self._known[url] = place
            if len(self._known) > _PLACES:
                del self._known[next(iter(self._known))]


class Hub:
    """One Hub. Thread-safe; `huggingface_hub` is imported by the first request."""

    def __init__(self, endpoint: str = "", wait: Callable[[float], object] = time.sleep) -> None:
        """Bind.

        Args:
            endpoint: its base URL; empty for what `HF_ENDPOINT` says, else the public one.
            wait: sleeps for as many seconds as the Hub wants to be left alone.
        """
        self._endpoint = endpoint
        self._wait = wait
        self._places = _Places()

    @property
    def endpoint(self) -> str:
        """Its base URL without a slash at the end."""
        from huggingface_hub import constants  # noqa: PLC0415 - heavy, see above

        return (self._endpoint or constants.ENDPOINT).rstrip("/")

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
    def open(self, url: str, repository: Repository, offset: int, length: int) -> Iterator[BinaryIO]:
        """A part of a file.

        Args:
            url: from `file_url`.
            repository: whose file it is, for messages.
            offset: of its first byte.
            length: in bytes, more than none and no more than the file has after `offset`.

        Raises:
            OnlyFromStartError: the file's server does not know parts.
            TransientRegistryError: trying again may help.
            RegistryError: trying again is of no use.
            OSError: the connection broke; also from reading.
        """
        import httpx2  # noqa: PLC0415 - heavy, as `huggingface_hub`

        asked = {"accept-encoding": "identity", "range": f"bytes={offset}-{offset + length - 1}"}
        with self._get_file(url, asked) as response:
            _check(response, repository)
            if offset and response.status_code != HTTPStatus.PARTIAL_CONTENT:
                raise OnlyFromStartError("the server of a file on the Hub does not give parts of it", reason=url)
            begin, encoding = response.headers.get("content-range"), response.headers.get("content-encoding")
            if (offset and not str(begin).startswith(f"bytes {offset}-")) or encoding not in (None, "identity"):
                raise RegistryError(
                    "the Hub sends something else than the part of a file that was asked for",
                    reason=f"asked from {offset}, got {begin!r} in the encoding {encoding!r}: {url}",
                )
            announced = response.headers.get("content-length", "")
            body = ResponseBody(
                response.iter_raw(),
                int(announced) if announced.isascii() and announced.isdigit() else None,
                (httpx2.HTTPError, httpx2.StreamError),
            )
            yield cast("BinaryIO", body)

    def _fetch(self, url: str, repository: Repository, limit: int) -> bytes:
        """A small answer."""
        import httpx2  # noqa: PLC0415

        for _ in range(_WAITS):
            try:
                with self._get(url, {}) as response:
                    seconds = seconds_to_wait(response.headers)
                    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS or not 0 < seconds <= _LONGEST_WAIT:
                        _check(response, repository)
                        return _bounded(response, limit)
            except (httpx2.HTTPError, OSError) as error:
                raise TransientRegistryError(f"the Hugging Face Hub does not answer: {error}", reason=url) from error
            self._wait(seconds)
        raise TransientRegistryError(
            "the Hugging Face Hub has too many requests from here: try again later", reason=url
        )

    @contextmanager
    def _get_file(self, url: str, headers: dict[str, str]) -> Iterator["httpx2.Response"]:
        """As `_get`, from where the Hub sent us for the same file before, as long as that holds."""
        known = self._places.find(url)
        if known is not None:
            with self._get(known, headers) as response:
                if response.status_code not in _EXPIRED:
                    yield response
                    return
        with self._get(url, headers) as response:
            if response.is_success:
                self._places.remember(url, str(response.url))
            yield response

    @contextmanager
    def _get(self, url: str, headers: dict[str, str]) -> Iterator["httpx2.Response"]:
        """The answer after all redirects; the token goes to the Hub itself and to nobody else.

        Raises:
            OSError: no answer came.
        """
        import httpx2  # noqa: PLC0415
        from huggingface_hub import get_session  # noqa: PLC0415
        from huggingface_hub.errors import OfflineModeIsEnabled  # noqa: PLC0415
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # noqa: PLC0415 - it is lazy

        everywhere = {**build_hf_headers(token=False, library_name="camelid", library_version=__version__), **headers}
        at_home = {**build_hf_headers(library_name="camelid", library_version=__version__), **headers}
        timeout = httpx2.Timeout(_SECONDS_OF_SILENCE, connect=_SECONDS_TO_CONNECT)
        session = get_session()
        for _ in range(_REDIRECTS):
            sent = at_home if _origin(url) == _origin(self.endpoint) else everywhere
            try:
                request = session.build_request("GET", url, headers=sent, timeout=timeout)
                response = session.send(request, stream=True, follow_redirects=False)
            except OfflineModeIsEnabled as error:
                raise RegistryError(
                    "the Hugging Face Hub is not asked, for HF_HUB_OFFLINE is set: unset it and start the server again",
                    reason=str(error),
                ) from error
            except httpx2.InvalidURL as error:
                raise RegistryError("the Hub redirects to something that is no address", reason=repr(url)) from error
            except httpx2.HTTPError as error:
                raise OSError(f"{type(error).__name__}: {error}") from error
            with closing(response):
                if not response.has_redirect_location:
                    yield response
                    return
            url = _redirected(url, response.headers["location"])
        raise RegistryError("the Hub redirects in circles", reason=url)


def _check(response: "httpx2.Response", repository: Repository) -> None:
    if not response.is_success:
        raise refusal(response.status_code, response.headers, repository)


def _bounded(response: "httpx2.Response", limit: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > limit:
            raise RegistryError("the Hub sends more than a file of this kind may have", reason=f"{response.url}")
    return bytes(content)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _redirected(url: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        RegistryError: not to the web, or from an encrypted connection to an open one.
    """
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise RegistryError("the Hub redirects to something that is no address", reason=repr(location)) from error
    if scheme not in ("http", "https") or (urlsplit(url).scheme, scheme) == ("https", "http"):
        raise RegistryError("the Hub redirects to where nothing is encrypted", reason=f"from {url} to {location}")
    return target
