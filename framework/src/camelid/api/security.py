"""Who may talk to the server from a browser: origins (contract 1.7) and host names (contract 1.8)."""

import socket
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from camelid.api.origins import Origins

__all__ = ("Security",)

_Header = tuple[bytes, bytes]

_METHODS = b"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
_REQUEST_HEADERS = (
    b"Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,"
    b"X-Stainless-Arch,X-Stainless-Async,X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,"
    b"X-Stainless-Lang,X-Stainless-Os,X-Stainless-Package-Version,X-Stainless-Poll-Helper,"
    b"X-Stainless-Retry-Count,X-Stainless-Runtime,X-Stainless-Runtime-Version,X-Stainless-Timeout,"
    # Those that Ollama does not have: without them a browser does not send what OpenAI's and Anthropic's clients write.
    b"Openai-Organization,Openai-Project,Idempotency-Key,"
    b"X-Api-Key,Anthropic-Version,Anthropic-Beta,Anthropic-Dangerous-Direct-Browser-Access"
)
_PREFLIGHT: list[_Header] = [
    (b"access-control-allow-methods", _METHODS),
    (b"access-control-allow-headers", _REQUEST_HEADERS),
    (b"access-control-max-age", b"43200"),
]
_PREFLIGHT_VARY: list[_Header] = [
    (b"vary", b"Origin"),
    (b"vary", b"Access-Control-Request-Method"),
    (b"vary", b"Access-Control-Request-Headers"),
]
_PRIVATE = tuple(ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_LOCAL_ENDINGS = (".localhost", ".local", ".internal")


class Security:
    """ASGI middleware around the whole application: refuses foreign pages and rebound names."""

    def __init__(self, app: ASGIApp, origins: Origins, *, check_host: bool) -> None:
        """Guard `app`.

        Args:
            app: what answers the requests that may pass.
            origins: pages that may.
            check_host: believe local host names only; for a server that listens on loopback.
        """
        self._app = app
        self._origins = origins
        self._check_host = check_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        foreign = bool(origin) and origin not in (f"http://{host}", f"https://{host}")
        if foreign and not (self._origins.any or origin in self._origins):
            await _answer(send, 403)
        elif foreign and scope["method"] == "OPTIONS":
            await _answer(send, 204, self._preflight(origin))
        else:
            if foreign:
                send = _with_headers(send, self._allow(origin))
            await self._pass(scope, host, receive, send)

    async def _pass(self, scope: HTTPScope, host: str, receive: Receive, send: Send) -> None:
        """Hand the request on if its host is believed."""
        if self._check_host:
            name = _without_port(host)
            if _local_name(name):
                if scope["method"] == "OPTIONS":
                    await _answer(send, 204)
                    return
            elif not _local_ip(name):
                await _answer(send, 403)
                return
        await self._app(scope, receive, send)

    def _allow(self, origin: str) -> list[_Header]:
        """Headers of an answer to an allowed page."""
        if self._origins.any:
            return [(b"access-control-allow-origin", b"*")]
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]

    def _preflight(self, origin: str) -> list[_Header]:
        if self._origins.any:
            return [*_PREFLIGHT, (b"access-control-allow-origin", b"*")]
        return [*_PREFLIGHT, (b"access-control-allow-origin", origin.encode("latin-1")), *_PREFLIGHT_VARY]


async def _answer(send: Send, status: int, headers: list[_Header] | None = None) -> None:
    length = [(b"content-length", b"0")] if status != 204 else []
    await send({"type": "http.response.start", "status": status, "headers": [*(headers or []), *length]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _with_headers(send: Send, headers: list[_Header]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers


def _without_port(host: str) -> str:
    """The name or address in a Host header; IPv6 without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and ":" not in name else host


def _local_name(name: str) -> bool:
    """Whether this is a host name that only this machine or its network can mean."""
    lowered = name.lower()
    return lowered in ("", "localhost", _hostname()) or lowered.endswith(_LOCAL_ENDINGS)


def _local_ip(name: str) -> bool:
    """Whether this is an IP address of this machine or of a private network."""
    address = _ip(name)
    if address is None:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    return any(address in network for network in _PRIVATE) or address in _interfaces()


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@cache
def _hostname() -> str:
    return socket.gethostname().lower()


def _interfaces() -> set[IPv4Address | IPv6Address]:
    """The addresses of this machine. Asked only for a public address in a Host header, which is rare."""
    import psutil  # noqa: PLC0415 - 10 ms at start that most servers never need

    found = (_ip(address.address.partition("%")[0]) for each in psutil.net_if_addrs().values() for address in each)
    return {address for address in found if address is not None}
