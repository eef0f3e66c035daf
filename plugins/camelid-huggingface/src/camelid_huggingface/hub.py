"""Speaking to the Hub, with the session, the headers and the token of `huggingface_hub`."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from camelid import __version__
from camelid.errors import RegistryError
from camelid_huggingface.refusals import Repository, is_passing, refusal, wait_of
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
_TRIES: Final = 4
_LONGEST_WAIT: Final = 20.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Hub:
    """One Hub. Thread-safe; `huggingface_hub` is imported by the first request."""

    def __init__(self, endpoint: str = "", wait: Callable[[float], object] = time.sleep) -> None:
        """Bind.

        Args:
            endpoint: its base URL; empty for what `HF_ENDPOINT` says, else the public one.
            wait: sleeps between two tries of a small request.
        """
        self._endpoint = endpoint
        self._wait = wait

    @property
    def endpoint(self) -> str:
        """Its base URL without a slash at the end."""
        from huggingface_hub import constants  # noqa: PLC0415 - heavy, see above

        return (self._endpoint or constants.ENDPOINT).rstrip("/")

    def describe(self, repository: Repository) -> RepositoryInfo:
        """What the Hub knows of the newest commit of a repository.

        Raises:
            RegistryError: there is no such repository, it may not be read, or the Hub cannot be reached.
        """
        url = f"{self.endpoint}/api/models/{repository.path}?blobs=true"
        content = self._fetch(url, repository, _LISTING_LIMIT, "pull model manifest: ")
        try:
            info = msgspec.json.decode(content, type=RepositoryInfo)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RegistryError(
                f"pull model manifest: the Hub's answer about {repository} is not understood", reason=str(error)
            ) from error
        if not _COMMIT.fullmatch(info.sha):
            raise RegistryError(
                f"pull model manifest: the Hub's answer about {repository} is not understood",
                reason=f"{info.sha!r} is no commit",
            )
        return info

    def file_url(self, repository: Repository, commit: str, file: RepositoryFile) -> str:
        """Where a file's bytes are, as they were at a commit."""
        return f"{self.endpoint}/{repository.path}/resolve/{commit}/{quote(file.path)}"

    def read(self, repository: Repository, commit: str, file: RepositoryFile, limit: int) -> bytes:
        """A small file.

        Raises:
            RegistryError: it is larger than `limit` bytes, or cannot be had.
        """
        return self._fetch(self.file_url(repository, commit, file), repository, limit, "")

    @contextmanager
    def open(self, url: str, repository: Repository, offset: int) -> Iterator[BinaryIO]:
        """A file's bytes from `offset` on.

        Args:
            url: from `file_url`.
            repository: whose file it is, for messages.
            offset: in bytes; less than the file has.

        Raises:
            RegistryError: trying again is of no use.
            OSError: trying again may help.
        """
        import httpx2  # noqa: PLC0415 - heavy, as `huggingface_hub`

        headers = {"accept-encoding": "identity", **({"range": f"bytes={offset}-"} if offset else {})}
        with self._get(url, headers) as response:
            if is_passing(response.status_code):
                raise OSError(f"unexpected status code {response.status_code}")
            if response.is_error:
                raise refusal(response.status_code, response.headers, repository)
            encoding = response.headers.get("content-encoding", "identity")
            begin = f"bytes {offset}-" if offset else ""
            if response.status_code != (206 if offset else 200) or encoding != "identity":
                raise RegistryError(
                    "the Hub sends something else than the part of the file that was asked for",
                    reason=f"status {response.status_code}, encoding {encoding}, offset {offset}: {url}",
                )
            if not response.headers.get("content-range", "").startswith(begin):
                raise RegistryError(
                    "the Hub sends another part of the file than was asked for",
                    reason=f"asked from {offset}, got {response.headers.get('content-range')!r}: {url}",
                )
            body = ResponseBody(response.iter_raw(), (httpx2.HTTPError, httpx2.StreamError))
            yield cast("BinaryIO", body)

    def _fetch(self, url: str, repository: Repository, limit: int, step: str) -> bytes:
        """A small answer, tried several times; `step` begins the messages of failures."""
        import httpx2  # noqa: PLC0415

        reason = ""
        for attempt in range(_TRIES):
            try:
                with self._get(url, {}) as response:
                    if response.is_success:
                        return _bounded(response, limit)
                    if not is_passing(response.status_code):
                        raise refusal(response.status_code, response.headers, repository, step)
                    reason = f"unexpected status code {response.status_code}"
                    seconds = wait_of(response.headers, float(2**attempt))
            except httpx2.HTTPError as error:
                reason, seconds = f"{type(error).__name__}: {error}", float(2**attempt)
            except OSError as error:
                reason, seconds = str(error), float(2**attempt)
            if attempt + 1 == _TRIES or seconds > _LONGEST_WAIT:
                break
            self._wait(seconds)
        raise RegistryError(f"{step}the Hugging Face Hub cannot be used now: {reason}", reason=url)

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
