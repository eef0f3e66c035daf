"""Requests to the Hub and to where it sends us, with the headers and the token of `huggingface_hub`.

They travel as those to all registries do: its own session reads little pieces, which cost as much as all the rest.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from camelid import __version__
from camelid.errors import RegistryError

if TYPE_CHECKING:
    import httpx

__all__ = ("HubSession",)

_SECONDS_TO_CONNECT: Final = 10.0
_SECONDS_OF_SILENCE: Final = 60.0
"""A backstop; when a transfer counts as stalled is the framework's decision."""
_REDIRECTS: Final = 10
_PLACES: Final = 256
_EXPIRED: Final = frozenset({401, 403, 404, 410})
"""What a server of files answers when its address with a signature has become too old."""


class HubSession:
    """Sends requests. Thread-safe; `huggingface_hub` is imported by the first."""

    def __init__(self, endpoint: str = "") -> None:
        """Bind.

        Args:
            endpoint: the Hub's base URL; empty for what `HF_ENDPOINT` says, else the public one.
        """
        self._endpoint = endpoint
        self._places = _Places()

    @property
    def endpoint(self) -> str:
        """The Hub's base URL without a slash at the end."""
        from huggingface_hub import constants  # noqa: PLC0415 - heavy

        return (self._endpoint or constants.ENDPOINT).rstrip("/")

    @contextmanager
    def get_file(self, url: str, headers: dict[str, str]) -> Iterator["httpx.Response"]:
        """As `get`, from where the Hub sent us for the same file before, as long as that holds."""
        known = self._places.find(url)
        if known is not None:
            try:
                with self.get(known, headers) as response:
                    if response.status_code not in _EXPIRED:
                        yield response
                        return
            except OSError:  # that server may be gone: the next try asks the Hub again
                self._places.forget(url)
                raise
        with self.get(url, headers) as response:
            if response.is_success:
                self._places.remember(url, str(response.url))
            yield response

    @contextmanager
    def get(self, url: str, headers: dict[str, str]) -> Iterator["httpx.Response"]:
        """The answer after all redirects; the token goes to the Hub itself and to nobody else.

        Raises:
            OSError: no answer came.
        """
        from huggingface_hub import is_offline_mode  # noqa: PLC0415
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # noqa: PLC0415 - it is lazy

        from camelid.contracts.distribution.answers import connection_errors, public_url  # noqa: PLC0415 - HTTP is heavy

        everywhere = {**build_hf_headers(token=False, library_name="camelid", library_version=__version__), **headers}
        at_home = {**build_hf_headers(library_name="camelid", library_version=__version__), **headers}
        if is_offline_mode():
            raise RegistryError(
                "the Hugging Face Hub is not asked, for HF_HUB_OFFLINE is set: unset it and start the server again"
            )
        for _ in range(_REDIRECTS):
            sent = at_home if _origin(url) == _origin(self.endpoint) else everywhere
            with connection_errors("GET", url):
                request = self._http.build_request("GET", url, headers=sent)
                response = self._http.send(request, stream=True, follow_redirects=False)
            with closing(response):
                if not response.has_redirect_location:
                    yield response
                    return
            url = _redirected(url, response.headers["location"])
        raise RegistryError("the Hub redirects in circles", reason=public_url(url))

    @cached_property
    def _http(self) -> "httpx.Client":
        import httpx  # noqa: PLC0415

        from camelid.contracts.distribution.transport import Transport  # noqa: PLC0415 - as above

        return httpx.Client(
            timeout=httpx.Timeout(_SECONDS_OF_SILENCE, connect=_SECONDS_TO_CONNECT),
            transport=Transport(),
            headers={"Accept-Encoding": "identity"},
        )


class _Places:
    """Where the Hub sent us for files; the latest of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, str] = {}

    def find(self, url: str) -> str | None:
        with self._lock:
            return self._known.get(url)

    def forget(self, url: str) -> None:
        with self._lock:
            self._known.pop(url, None)

    def remember(self, url: str, place: str) -> None:
        with self._lock:
            self._known.pop(url, None)
            self._known[url] = place
            if len(self._known) > _PLACES:
                del self._known[next(iter(self._known))]


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
