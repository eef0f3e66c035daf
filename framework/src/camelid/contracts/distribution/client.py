"""Requests to registries: redirects, and who asks.

What proves who asks is sent to the registry's own scheme, host and port and nowhere else, however the registry
redirects.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from types import MappingProxyType
from typing import Final

import httpx

from camelid.contracts.distribution.answers import connection_errors, public_url, read_limited
from camelid.contracts.distribution.authorization import Authorization
from camelid.contracts.distribution.transport import Transport
from camelid.errors import RegistryError

__all__ = ("Client",)

_MOST_REDIRECTS: Final = 10
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SHORT_PAGE: Final = 1 << 14
"""Bytes."""
_TIMEOUT: Final = httpx.Timeout(30.0, connect=15.0, pool=None)


class Client:
    """Sends requests; safe to use from any thread."""

    def __init__(self, authorization: Authorization) -> None:
        """Open nothing yet.

        Args:
            authorization: says who asks.

        Raises:
            RegistryError: as `Transport`.
        """
        self._authorization = authorization
        self._http = httpx.Client(
            timeout=_TIMEOUT,
            transport=Transport(),
            headers={"User-Agent": f"camelid/{version('camelid')}", "Accept-Encoding": "identity"},
        )

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
        authorized: bool = True,
    ) -> Iterator[httpx.Response]:
        """Send a request, again with proof of who asks if the registry wants it, and wherever it redirects.

        Args:
            method: of HTTP.
            url: of the registry, or where it sent us.
            headers: beside the usual ones.
            body: makes the body, anew for each try; `headers` say its length.
            follow: go where a redirect leads; else the redirect is the answer.
            authorized: say who asks, if need be.

        Returns:
            The answer, whose body was not read yet. Its status may be anything but 401.

        Raises:
            RegistryError: there are too many redirects, one leads nowhere, or nobody is let in who asks so.
            OSError: the connection broke.
        """
        with connection_errors(method, url):
            response = self._send(method, url, headers, body, follow=follow, authorized=authorized)
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
        authorized: bool,
    ) -> httpx.Response:
        first = here = httpx.URL(url)
        for _hop in range(_MOST_REDIRECTS + 1):
            at_home = _origin(here) == _origin(first)
            response = self._send_once(method, here, headers, body, authorized=authorized and at_home)
            location = response.headers.get("location", "")
            if not follow or response.status_code not in _REDIRECTS or not location:
                return response
            _finish(response)
            there = here.join(location)
            downgraded = here.scheme == "https" and there.scheme == "http"
            if there.scheme not in ("http", "https") or downgraded or there.userinfo:
                raise RegistryError(
                    "the registry redirects to where nobody may follow",
                    reason=f"{public_url(here)} -> {public_url(there)}",
                )
            here = there
        raise RegistryError(
            "the registry redirects in circles", reason=f"{public_url(url)}, at last to {public_url(here)}"
        )

    def _send_once(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]] | None,
        *,
        authorized: bool,
    ) -> httpx.Response:
        for again in (False, True):
            shown = self._authorization.header(url) if authorized else ""
            authorization = {"Authorization": shown} if shown else {}
            request = self._http.build_request(
                method, url, headers={**headers, **authorization}, content=None if body is None else body()
            )
            response = self._http.send(request, stream=True, follow_redirects=False)
            if response.status_code != 401:
                return response
            challenge = response.headers.get("www-authenticate", "")
            _finish(response)
            if again or not authorized:
                break
            self._authorization.renew(self._http, url, challenge, shown)
        raise RegistryError("unauthorized: access denied", reason=f"{method} {public_url(url)}")


def _finish(response: httpx.Response) -> None:
    """Read the page that nobody looks at, if it is short: else its connection would be of no further use."""
    try:
        with suppress(httpx.HTTPError):
            read_limited(response, _SHORT_PAGE)
    finally:
        response.close()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
