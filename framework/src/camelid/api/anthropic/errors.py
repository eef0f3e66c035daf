"""Errors in Anthropic's envelope (contract 10.1)."""

from secrets import token_hex
from typing import Final

import msgspec
from litestar import Response
from litestar.types import ExceptionHandlersMap

from camelid.api.encoding import encode
from camelid.api.errors import error_status, error_text, log_error
from camelid.api.events import event
from camelid.api.request import ApiRequest
from camelid.api.responses import terminated_json_reply
from camelid.errors import CamelidError, InvalidOptionError

__all__ = ("ANTHROPIC_EXCEPTION_HANDLERS", "AnthropicErrorReply", "error_event", "new_request_id")

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


class AnthropicError(msgspec.Struct):
    """What went wrong."""

    type: str
    message: str


class AnthropicErrorReply(msgspec.Struct, kw_only=True):
    """A failure; also the data of a stream's error event."""

    type: str = "error"
    error: AnthropicError
    request_id: str


def new_request_id() -> str:
    """Names one request, as clients show it to people."""
    return f"req_{token_hex(12)}"


def _status(error: Exception) -> int:
    """As everywhere, but a wrong option is the client's mistake: Anthropic's clients send a 500 again and again."""
    return 400 if isinstance(error, InvalidOptionError) else error_status(error)


def _body(error: Exception, request_id: str) -> AnthropicErrorReply:
    kind = _TYPES.get(_status(error), "api_error")
    return AnthropicErrorReply(error=AnthropicError(kind, error_text(error)), request_id=request_id)


def error_event(error: Exception, request_id: str) -> bytes:
    """The end of a stream that an error ends. Ollama's streams just stop."""
    return event(encode(_body(error, request_id)), "error")


def _reply(_request: ApiRequest, error: Exception) -> Response[bytes]:
    log_error(error)
    request_id = new_request_id()
    reply = terminated_json_reply(_body(error, request_id), _status(error))
    reply.set_header("request-id", request_id)
    return reply


ANTHROPIC_EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {CamelidError: _reply, Exception: _reply}
"""For the routes of this package."""
