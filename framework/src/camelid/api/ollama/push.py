"""POST /api/push: send a model to a registry (contract 7.9)."""

from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.errors import PROGRESS_EXCEPTION_HANDLERS
from camelid.api.ollama.progress import ProgressReply, progress_reply
from camelid.api.ollama.transfer import TransferBody
from camelid.api.request import ApiRequest, ApiServices

__all__ = ("push",)


class PushBody(TransferBody):
    """The request."""


@post(
    "/api/push",
    exception_handlers=PROGRESS_EXCEPTION_HANDLERS,
    opt={"description": Description(body=PushBody, answer=ProgressReply, lines=ProgressReply, errors=(400, 403, 500))},
)
async def push(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Send a model to the registry that its name says."""
    body = await read_body(request.receive, PushBody)
    steps = services.push(body.asked("model is required"), insecure=body.insecure)
    return await progress_reply(request, steps, stream=body.stream)
