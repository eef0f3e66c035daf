"""Paths as Go's router takes them, where Litestar's is kinder (contract 1.3)."""

from typing import Final

from litestar import Litestar, Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import HTTPScope, Method, Receive, Scope, Send

from camelid.api.errors import not_found

__all__ = ("StrictRouting",)

_NO_ROUTE_HAS: Final[Method] = "TRACE"


class StrictRouting:
    """ASGI middleware before Litestar's router.

    Litestar ignores superfluous slashes and answers OPTIONS everywhere. Go redirects if only a slash at the end is too
    many, and knows neither paths with other slashes nor OPTIONS.
    """

    def __init__(self, app: Litestar) -> None:
        """Guard the routes of `app`, whose handler this is to become."""
        self._router = app.asgi_router
        self._next = app.asgi_handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or answer it."""
        if scope["type"] == ScopeType.HTTP:
            path = scope["path"]
            if "//" in path or (path.endswith("/") and path != "/"):
                answer = self._redirect(scope) or not_found()
                await answer.to_asgi_response(None, Request(scope))(scope, receive, send)
                return
            if scope["method"] == "OPTIONS":
                scope = scope.copy()
                scope["method"] = _NO_ROUTE_HAS
        await self._next(scope, receive, send)

    def _redirect(self, scope: HTTPScope) -> Response[bytes] | None:
        """To the path without the slash at its end, if there is such a route."""
        path = scope["path"].removesuffix("/")
        if "//" in scope["path"]:
            return None
        try:
            self._router.handle_routing(path=path, method=scope["method"])
        except (NotFoundException, MethodNotAllowedException):
            return None
        query = scope["query_string"].decode("latin-1")
        location = scope["raw_path"].decode("latin-1").removesuffix("/") + (f"?{query}" if query else "")
        status = 301 if scope["method"] == "GET" else 307
        return Response(b"", status_code=status, headers={"location": location, "content-type": "text/plain"})
