"""POST /api/pull: fetch a model (contract 7.8)."""

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.errors import PROGRESS_EXCEPTION_HANDLERS
from camelid.api.ollama.progress import ProgressReply, progress_reply
from camelid.api.request import ApiRequest, ApiServices
from camelid.errors import RequestError
from camelid.services.references import parse_reference

__all__ = ("pull",)


class PullBody(msgspec.Struct):
    """The request. User name and password of old clients are ignored."""

    model: str = ""
    name: str = ""
    """How older clients call it."""
    insecure: bool = False
    stream: bool = True


@post(
    "/api/pull",
    exception_handlers=PROGRESS_EXCEPTION_HANDLERS,
    opt={
        "description": Description(
            body=PullBody, answer=ProgressReply, lines=ProgressReply, errors=(400, 403, 500, 507)
        )
    },
)
async def pull(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Fetch a model from the first registry that knows it."""
    body = await read_body(request.receive, PullBody)
    asked = body.model or body.name
    if not asked:
        raise RequestError("invalid model name", reason="the request names no model")
    steps = services.fetch(parse_reference(asked), insecure=body.insecure)
    return await progress_reply(request, steps, stream=body.stream)
