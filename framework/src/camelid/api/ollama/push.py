"""POST /api/push: send a model to a registry (contract 7.9)."""

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

__all__ = ("push",)


class PushBody(msgspec.Struct):
    """The request. User name and password of old clients are ignored."""

    model: str = ""
    name: str = ""
    """How older clients call it."""
    insecure: bool = False
    stream: bool = True


@post(
    "/api/push",
    exception_handlers=PROGRESS_EXCEPTION_HANDLERS,
    opt={"description": Description(body=PushBody, answer=ProgressReply, lines=ProgressReply, errors=(400, 403, 500))},
)
async def push(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Send a model to the registry that its name says."""
    body = await read_body(request.receive, PushBody)
    asked = body.model or body.name
    if not asked:
        raise RequestError("model is required", reason="the request names no model")
    steps = services.push(parse_reference(asked), insecure=body.insecure)
    return await progress_reply(request, steps, stream=body.stream)
