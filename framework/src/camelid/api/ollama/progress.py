"""How far a pull or a create is: a line each, or the last one alone (contract 1.3, 7.7, 7.8)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from litestar.types import ASGIApp

from camelid.api.disconnect import cancelled_when_gone
from camelid.api.encoding import encode
from camelid.api.request import ApiRequest
from camelid.api.responses import PLAIN_JSON, json_reply
from camelid.api.streaming import LineStream
from camelid.services.progress import Progress

__all__ = ("ProgressReply", "progress_reply")


class ProgressReply(msgspec.Struct, omit_defaults=True):
    """One step."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0


def _reply(progress: Progress) -> ProgressReply:
    return ProgressReply(progress.status, progress.digest, progress.total, progress.completed)


def _line(progress: Progress) -> bytes:
    return encode(_reply(progress)) + b"\n"


async def progress_reply(request: ApiRequest, steps: AsyncGenerator[Progress, None], *, stream: bool) -> ASGIApp:
    """Answer with a line for each step, or with the last step when all is done."""
    if stream:
        return LineStream(steps, _line)
    last = Progress("success")
    async with aclosing(steps), cancelled_when_gone(request.receive):
        async for step in steps:
            last = step
    return json_reply(_reply(last), content_type=PLAIN_JSON).to_asgi_response(None, request)
