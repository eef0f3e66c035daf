"""GET /openapi.json: a description of all endpoints, for people and tools. Ollama has none."""

import asyncio
from functools import lru_cache

import msgspec
from litestar import Litestar, Response, get

from camelid.api.description import Description
from camelid.api.request import ApiRequest
from camelid.api.responses import JSON

__all__ = ("openapi",)


class OpenAPIReply(msgspec.Struct):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, object]
    paths: dict[str, object]
    components: dict[str, object]


@lru_cache(maxsize=1)
def _encoded(app: Litestar) -> bytes:
    from camelid.api.openapi.document import document  # noqa: PLC0415 - no server needs it to start

    return msgspec.json.encode(document(app))


@get("/openapi.json", opt={"description": Description(answer=OpenAPIReply)})
async def openapi(request: ApiRequest) -> Response[bytes]:
    """Describe all endpoints."""
    return Response(await asyncio.to_thread(_encoded, request.app), media_type=JSON)
