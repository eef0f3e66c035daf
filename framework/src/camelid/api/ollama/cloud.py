"""What Ollama forwards to its cloud: here there is none, and clients that ask are told so (contract 2.2, 8.3)."""

import msgspec
from litestar import Response, get, post

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.request import ApiRequest
from camelid.api.responses import json_reply
from camelid.errors import RemoteModelError

__all__ = ("status", "web_fetch", "web_search")


class CloudSwitch(msgspec.Struct):
    """Whether the cloud is switched off, and by whom."""

    disabled: bool
    source: str
    """`none`, `env`, `config` or `both`."""


class StatusReply(msgspec.Struct):
    """The state of the cloud's switch."""

    cloud: CloudSwitch


class CloudBody(msgspec.Struct):
    """A request to the cloud; nobody reads its fields."""


@get("/api/status", opt={"description": Description(answer=StatusReply)})
async def status() -> Response[bytes]:
    """Tell that the cloud is switched off, by the server itself rather than by its environment."""
    return json_reply(StatusReply(CloudSwitch(disabled=True, source="config")))


@post("/api/experimental/web_search", opt={"description": Description(body=CloudBody, statuses=(), errors=(400, 403))})
async def web_search(request: ApiRequest) -> None:
    """Refuse to search the web."""
    await read_body(request.receive, CloudBody)
    raise RemoteModelError("ollama cloud is disabled: web search is unavailable")


@post("/api/experimental/web_fetch", opt={"description": Description(body=CloudBody, statuses=(), errors=(400, 403))})
async def web_fetch(request: ApiRequest) -> None:
    """Refuse to fetch a page."""
    await read_body(request.receive, CloudBody)
    raise RemoteModelError("ollama cloud is disabled: web fetch is unavailable")
