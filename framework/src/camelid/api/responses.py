"""Replies that are sent in one piece (contract 1.3)."""

from litestar import Response
from litestar.types import Receive, Scope, Send

from camelid.api.encoding import encode

__all__ = ("JSON", "PLAIN_JSON", "EmptyReply", "json_reply", "terminated_json_reply", "text_reply")

JSON = "application/json; charset=utf-8"
"""Content type of ordinary answers."""

PLAIN_JSON = "application/json"
"""Content type where Ollama's handlers set it themselves: pull, create, and the errors of streams."""


def json_reply(value: object, status: int = 200, content_type: str = JSON) -> Response[bytes]:
    """A JSON value, without a newline at its end."""
    return Response(encode(value), status_code=status, media_type=content_type)


def terminated_json_reply(value: object, status: int = 200) -> Response[bytes]:
    """A JSON value with a newline at its end, and without a character set: below `/v1`."""
    return Response(encode(value) + b"\n", status_code=status, media_type=PLAIN_JSON)


def text_reply(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response[bytes]:
    """Some text."""
    return Response(text.encode(), status_code=status, headers={"content-type": content_type})


class EmptyReply:
    """A status without a body and without a content type, which Litestar's own responses always have."""

    def __init__(self, status: int = 200) -> None:
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Answer as an ASGI application."""
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
