"""What carries requests: httpx's client over urllib3's connections.

httpx alone reads 64 KiB at a time and copies them three times in Python: as much processor time as all the rest of a
download. urllib3 hands out what one call to the system gave, up to a MiB, as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.exceptions import TimeoutError as TimedOutError

from camelid.errors import RegistryError

__all__ = ("Transport",)

_READ_AT_ONCE: Final = 1 << 20
_KEPT_CONNECTIONS: Final = 32
"""To each host."""


class Transport(httpx.BaseTransport):
    """Connections to any host; safe to use from any thread.

    Proxies and certificates come from the usual variables: `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`...
    """

    def __init__(self) -> None:
        """Open nothing yet.

        Raises:
            RegistryError: the variables name a proxy of a kind that is not known.
        """
        self._context = httpx.create_ssl_context()
        self._direct = urllib3.PoolManager(maxsize=_KEPT_CONNECTIONS, ssl_context=self._context)
        proxies = getproxies()
        self._through = {
            scheme: self._proxy(address)
            for scheme in ("http", "https")
            if (address := proxies.get(scheme) or proxies.get("all"))
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and read the answer up to its body.

        Raises:
            httpx.HTTPError: the connection broke or never was, or what came is no HTTP.
            httpx.InvalidURL: nobody can be asked so.
        """
        limits = request.extensions["timeout"]
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        with _errors(request):
            answer = self._manager(request.url).urlopen(
                request.method,
                str(request.url),
                headers=dict(request.headers),
                body=request.stream if has_body else None,
                timeout=urllib3.Timeout(connect=limits["connect"], read=limits["read"]),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        return httpx.Response(answer.status, headers=headers, stream=_Body(answer, request))

    def close(self) -> None:
        """Close all connections."""
        for manager in (self._direct, *self._through.values()):
            manager.clear()

    def _manager(self, url: httpx.URL) -> urllib3.PoolManager:
        host = url.netloc.decode("ascii")
        return self._direct if proxy_bypass(host) else self._through.get(url.scheme, self._direct)

    def _proxy(self, address: str) -> urllib3.ProxyManager:
        url = urlsplit(address if "://" in address else f"http://{address}")
        if url.scheme not in ("http", "https"):
            raise RegistryError(
                f"proxies of the kind {url.scheme}:// cannot be used: "
                "let HTTP_PROXY and HTTPS_PROXY name one that is http:// or https://",
                reason=f"{url.scheme}://{url.hostname}",
            )
        login = f"{unquote(url.username)}:{unquote(url.password or '')}" if url.username else None
        return urllib3.ProxyManager(
            f"{url.scheme}://{url.netloc.rpartition('@')[2]}",
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login),
            proxy_ssl_context=self._context,
            maxsize=_KEPT_CONNECTIONS,
            ssl_context=self._context,
        )


class _Body(httpx.SyncByteStream):
    """What comes after the headers, in pieces as they come."""

    def __init__(self, answer: urllib3.BaseHTTPResponse, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        with _errors(self._request):
            while piece := self._answer.read1(_READ_AT_ONCE):
                yield piece

    def close(self) -> None:
        """The connection is kept if all was read."""
        self._answer.close()


@contextmanager
def _errors(request: httpx.Request) -> Iterator[None]:
    """Turn what urllib3 raises into what httpx would."""
    try:
        yield
    except LocationValueError as error:
        raise httpx.InvalidURL(f"no host is called {request.url.host!r}") from error
    except TimedOutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    except (HTTPError, HTTPException, OSError) as error:
        cause = error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error
        raise httpx.NetworkError(str(cause), request=request) from error
