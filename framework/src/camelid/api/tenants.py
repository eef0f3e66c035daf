"""Telling tenants apart by the API key that they send. Nothing is done to find out whether it is a good one."""

import hashlib

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from camelid.services.tenant import TENANT

__all__ = ("Tenants",)

_KEY_HEADERS = (b"authorization", b"x-api-key")


class Tenants:
    """ASGI middleware: whoever sends the same key, or none, is the same tenant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request for its tenant."""
        if scope["type"] == ScopeType.HTTP:
            headers = dict(scope["headers"])
            key = next((headers[name] for name in _KEY_HEADERS if name in headers), b"")
            TENANT.set(hashlib.sha256(key).hexdigest()[:32] if key else "")
        await self._app(scope, receive, send)
