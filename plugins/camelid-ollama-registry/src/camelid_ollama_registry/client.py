"""Requests to registries: redirects, tokens, and what may go wrong on the way (contract 14.2, 14.3).

A token is sent to the registry's own scheme, host and port and nowhere else, however the registry redirects.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final, NoReturn

import httpx

from camelid import __version__
from camelid.contracts.registry import TransientRegistryError
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_ollama_registry.tokens import fetch_token, read_challenge

__all__ = ("Client", "connection_errors", "read_limited", "refuse", "repository_url")

_MOST_REDIRECTS: Final = 10
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_TIMEOUT: Final = httpx.Timeout(30.0, connect=15.0, pool=None)
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=32)
_REPOSITORY: Final = re.compile(r"(.*?)/(?:blobs|manifests)/")
_LONGEST_WAIT: Final = 60.0
"""Seconds for another thread's question for a token."""
_LONGEST_REASON: Final = 2000
"""Bytes of an error's body that are told."""


class Client:
    """Sends requests; safe to use from any thread.

    Proxies and certificates come from the usual variables: `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`...
    """

    def __init__(self, keys: Path | None = None) -> None:
        """Open nothing yet.

        Args:
            keys: the folder with `id_ed25519`; None for `~/.ollama`.
        """
        self._keys = keys
        self._http = httpx.Client(
            timeout=_TIMEOUT,
            limits=_LIMITS,
            headers={"User-Agent": f"camelid/{__version__}", "Accept-Encoding": "identity"},
        )
        self._tokens: dict[str, str] = {}
        self._lock = Lock()
        self._renewing: dict[str, Lock] = {}
        """One for each repository, so that a slow registry holds up nobody but those who want something of it."""

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @contextmanager
    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        body: Callable[[], Iterable[bytes]] | None = None,
        follow: bool = True,
        token: bool = True,
    ) -> Iterator[httpx.Response]:
        """Send a request, again with a token if the registry asks for one, and wherever it redirects.

        Args:
            method: of HTTP.
            url: of the registry, or where it sent us.
            headers: beside the usual ones.
            body: makes the body, anew for each try; `headers` say its length.
            follow: go where a redirect leads; else the redirect is the answer.
            token: show the registry's token, and get one if need be.

        Returns:
            The answer, whose body was not read yet. Its status may be anything but 401.

        Raises:
            RegistryError: there are too many redirects, one leads nowhere, or no token can be had.
            OSError: the connection broke.
        """
        with connection_errors(method, url):
            response = self._send(method, url, headers, body, follow=follow, token=token)
            try:
                yield response
            finally:
                response.close()

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]] | None,
        *,
        follow: bool,
        token: bool,
    ) -> httpx.Response:
        first = here = httpx.URL(url)
        for _hop in range(_MOST_REDIRECTS + 1):
            response = self._send_once(method, here, headers, body, token=token and _origin(here) == _origin(first))
            location = response.headers.get("location", "")
            if not follow or response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            there = here.join(location)
            if there.scheme not in ("http", "https") or (here.scheme == "https" and there.scheme == "http"):
                raise RegistryError("the registry redirects to where nobody may follow", reason=f"{here} -> {there}")
            here = there
        raise RegistryError("the registry redirects in circles", reason=f"{url}, at last to {here}")

    def _send_once(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]] | None,
        *,
        token: bool,
    ) -> httpx.Response:
        repository = _repository(url)
        for again in (False, True):
            shown = self._tokens.get(repository, "") if token else ""
            authorization = {"Authorization": f"Bearer {shown}"} if shown else {}
            request = self._http.build_request(
                method, url, headers={**headers, **authorization}, content=None if body is None else body()
            )
            response = self._http.send(request, stream=True, follow_redirects=False)
            if response.status_code != 401:
                return response
            challenge = response.headers.get("www-authenticate", "")
            response.close()
            if again or not token:
                break
            self._renew(repository, url, challenge, shown)
        raise RegistryError("unauthorized: access denied", reason=f"{method} {url}")

    def _renew(self, repository: str, url: httpx.URL, challenge: str, shown: str) -> None:
        """Get a token, unless another thread just did."""
        with self._lock:
            renewing = self._renewing.setdefault(repository, Lock())
        if not renewing.acquire(timeout=_LONGEST_WAIT):
            raise TransientRegistryError("the registry gives no token", reason=f"{url}: another request waits for it")
        try:
            if self._tokens.get(repository, "") == shown:
                asked = read_challenge(challenge, url)
                if asked is None:
                    raise RegistryError("unauthorized: access denied", reason=f"{url} wants {challenge[:200]!r}")
                self._tokens[repository] = fetch_token(self._http, asked, self._keys)
        finally:
            renewing.release()


def repository_url(name: ModelName) -> str:
    """Where a model's repository is: `https://host/v2/namespace/model`."""
    return f"{name.scheme}://{name.host}/v2/{name.namespace}/{name.model}"


def read_limited(response: httpx.Response, limit: int) -> bytes | None:
    """The body; None if it has more than `limit` bytes, of which no more were read."""
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if len(content) > limit:
            return None
    return bytes(content)


def refuse(response: httpx.Response, words: str = "") -> NoReturn:
    """Say what the registry answered instead of what was asked for.

    Raises:
        TransientRegistryError: it may be better in a moment.
        RegistryError: it will not.
    """
    content = b""
    with suppress(httpx.HTTPError):
        for chunk in response.iter_raw():
            content += chunk
            if len(content) >= _LONGEST_REASON:
                break
    text = content[:_LONGEST_REASON].decode("utf-8", "replace").strip()
    kind = TransientRegistryError if response.status_code in _PASSING else RegistryError
    raise kind(words or f"{response.status_code}: {text}", reason=f"{response.url}: {response.status_code} {text}")


@contextmanager
def connection_errors(method: str, url: str) -> Iterator[None]:
    """Turn what httpx raises into what the contract of registries allows.

    Raises:
        OSError: the connection broke or never was.
        RegistryError: what the registry sent is no HTTP that one could ask again for.
    """
    try:
        yield
    except httpx.TimeoutException as error:
        raise TimeoutError(f'{method} "{url}": {str(error) or "timed out"}') from error
    except httpx.TransportError as error:
        raise ConnectionError(f'{method} "{url}": {error}') from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise RegistryError("the registry answered what is no HTTP", reason=f"{url}: {error!r}") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _repository(url: httpx.URL) -> str:
    """What a token is for."""
    text = str(url)
    match = _REPOSITORY.match(text)
    return match[1] if match else text
