"""What carries requests: httpx's client over urllib3's connections.

httpx alone reads 64 KiB at a time and copies them three times in Python: as much processor time as all the rest of a
download. urllib3 hands out what one call to the system gave, up to a MiB, as it is.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as TimedOutError

from camelid.errors import RegistryError

__all__ = ("Transport",)

_READ_AT_ONCE: Final = 1 << 20
_KEPT_CONNECTIONS: Final = 32
"""To each host."""
_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_FINAL: Final = 200
"""Where the statuses begin that are answers: those below announce one (RFC 9110, 15.2)."""
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})
"""What OpenSSL calls an answer that is no TLS."""


class Transport(httpx.BaseTransport):
    """Connections to any host; safe to use from any thread.

    Proxies and certificates come from the usual variables: `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`...
    """

    def __init__(self) -> None:
        """Open nothing yet.

        Raises:
            RegistryError: the variables name a proxy of a kind that is not known, or at no address; or no certificates.
        """
        try:
            self._context = httpx.create_ssl_context()
        except OSError as error:
            raise RegistryError(
                f"certificates cannot be read: {error}; let SSL_CERT_FILE name a file of them, or unset it",
                reason=repr(error),
            ) from error
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
        with _errors(request):
            try:
                answer = self._ask(request)
            except ProtocolError:
                # The host may have closed a kept connection in this moment, which says nothing about it.
                if request.method not in _REPEATABLE:
                    raise
                answer = self._ask(request)
        if answer.status < _FINAL:
            # The real answer comes after it, where the next request on this connection would find it.
            answer.close()
            raise httpx.RemoteProtocolError(f"status {answer.status} is no answer", request=request)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        return httpx.Response(answer.status, headers=headers, stream=_Body(answer, request))

    def close(self) -> None:
        """Close all connections."""
        for manager in (self._direct, *self._through.values()):
            manager.clear()

    def _ask(self, request: httpx.Request) -> urllib3.BaseHTTPResponse:
        limits = request.extensions["timeout"]
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        return self._manager(request.url).urlopen(
            request.method,
            str(request.url),
            # As urllib3 spells its own, which it would send beside them: two of `Host` are an error.
            headers={name.title(): value for name, value in request.headers.items()},
            body=request.stream if has_body else None,
            timeout=urllib3.Timeout(connect=limits["connect"], read=limits["read"]),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def _manager(self, url: httpx.URL) -> urllib3.PoolManager:
        return self._direct if _needs_no_proxy(url) else self._through.get(url.scheme, self._direct)

    def _proxy(self, address: str) -> urllib3.ProxyManager:
        try:
            return self._manager_through(urlsplit(address if "://" in address else f"http://{address}"))
        except (ValueError, LocationValueError) as error:  # the address is not repeated: a password may stand in it
            raise RegistryError(
                "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a proxy at no address: write http://host:port",
                reason=type(error).__name__,
            ) from None

    def _manager_through(self, url: SplitResult) -> urllib3.ProxyManager:
        if not url.hostname:
            raise ValueError("no host")
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
        """The connection is kept if all was read, or nothing was to come."""
        if self._answer.length_remaining == 0:
            self._answer.drain_conn()
        self._answer.close()


def _needs_no_proxy(url: httpx.URL) -> bool:
    """Whether `NO_PROXY` has the host, with or without its port, a domain above it, or a network that it is in."""
    if proxy_bypass(url.netloc.decode("ascii")):
        return True
    with suppress(ValueError):  # it is a name
        address = ip_address(url.host)
        return any(address in network for network in _networks(getproxies().get("no", "")))
    return False


def _networks(text: str) -> Iterator[IPv4Network | IPv6Network]:
    for entry in text.split(","):
        with suppress(ValueError):  # a name, too
            yield ip_network(entry.strip(), strict=False)


@contextmanager
def _errors(request: httpx.Request) -> Iterator[None]:
    """Turn what urllib3 raises into what httpx would."""
    try:
        yield
    except LocationValueError as error:
        raise httpx.InvalidURL(f"no host is called {request.url.host!r}") from error
    except NewConnectionError as error:  # to urllib3 it is one of those that took too long
        raise httpx.ConnectError(str(error.__cause__ or error), request=request) from error
    except TimedOutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    except (HTTPError, HTTPException, OSError) as error:
        cause = error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            raise httpx.UnsupportedProtocol(
                "what answers there speaks no https; plain http must be allowed (`insecure`, --insecure)",
                request=request,
            ) from error
        raise httpx.NetworkError(str(cause), request=request) from error
