"""POST /api/pull: fetch a model (contract 7.8)."""

from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.errors import PROGRESS_EXCEPTION_HANDLERS
from camelid.api.ollama.progress import ProgressReply, progress_reply
from camelid.api.ollama.transfer import TransferBody
from camelid.api.request import ApiRequest, ApiServices

__all__ = ("pull",)


class PullBody(TransferBody):
    """The request."""


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
    steps = services.fetch(body.asked("invalid model name"), insecure=body.insecure)
    return await progress_reply(request, steps, stream=body.stream)
