"""An HTTP route that a plugin adds to the server, without a word of the server's framework."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType

import msgspec

__all__ = ("HttpRequest", "HttpResponse", "Route")


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has been read whole: at most 16 MiB."""

    method: str
    """In capitals."""
    path: str
    """Decoded, without the query. Whoever makes a file's name of it sees to `..` first."""
    query: tuple[tuple[str, str], ...] = ()
    """Names and values, decoded, in their order."""
    headers: Mapping[str, str] = MappingProxyType({})
    """By name in small letters; of several with one name the last."""
    body: bytes = b""


class HttpResponse(msgspec.Struct, frozen=True):
    """An answer."""

    body: bytes | AsyncIterator[bytes] = b""
    """All of it, or its pieces as they come; an iterator is closed when the client leaves. Where one raises, the
    connection is closed in the middle of the answer: the client knows then that it is not whole."""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})
    """More headers, as Latin-1; not those that say where the answer ends."""


class Route(msgspec.Struct, frozen=True):
    """A path and who answers there. Registered through `camelid_routes`."""

    path: str
    """Begins with a slash. With `/*` at its end it is the path before that and everything below it. It must be free:
    what the server or another plugin answers already stays as it is."""
    handler: Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]
    """A plain function runs in a thread, beside seven others of all plugins at most. A coroutine function runs on the
    event loop, where it must not block; it is cancelled when the client leaves. A `CamelidError` that it raises is
    answered as the server's own are, anything else with status 500 and the plugin's name."""
    methods: frozenset[str] = frozenset({"GET"})

    @property
    def name(self) -> str:
        """The path: what routes are told apart by."""
        return self.path
