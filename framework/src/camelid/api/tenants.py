"""Telling tenants apart by the API key that they send. Nothing is done to find out whether it is a good one."""

import hashlib

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from camelid.services.tenant import TENANT

__all__ = ("Tenants",)

_KEY_HEADERS = (b"authorization", b"x-api-key")


class Tenants:
    """ASGI middleware: whoever sends the same key, in whichever header, or none, is the same tenant."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request for its tenant."""
        if scope["type"] == ScopeType.HTTP:
            # A proxy may add a header of its own to the one that its user sent: all of them count.
            keys = {_key(value) for name, value in scope["headers"] if name in _KEY_HEADERS}
            TENANT.set(hashlib.sha256(b"\0".join(sorted(keys))).hexdigest()[:32])
        await self._app(scope, receive, send)


def _key(value: bytes) -> bytes:
    """The key in a header's value."""
    scheme, _, rest = value.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else value
