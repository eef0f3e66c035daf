"""Errors in OpenAI's envelope (contract 9.1)."""

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

__all__ = ("OPENAI_EXCEPTION_HANDLERS", "OpenAIErrorReply", "error_event")

_TYPES: Final = {400: "invalid_request_error", 404: "not_found_error"}


class OpenAIError(msgspec.Struct):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIErrorReply(msgspec.Struct):
    """A failure; also the last event of a stream that failed on its way."""

    error: OpenAIError


def _status(error: Exception) -> int:
    """As everywhere, but a wrong option is the client's mistake: OpenAI's clients send a 500 again and again."""
    return 400 if isinstance(error, InvalidOptionError) else error_status(error)


def _body(error: Exception) -> OpenAIErrorReply:
    return OpenAIErrorReply(OpenAIError(error_text(error), _TYPES.get(_status(error), "api_error")))


def error_event(error: Exception) -> bytes:
    """The end of a stream that an error ends. Ollama's streams just stop."""
    return event(encode(_body(error)))


def _reply(_request: ApiRequest, error: Exception) -> Response[bytes]:
    log_error(error)
    return terminated_json_reply(_body(error), _status(error))


OPENAI_EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {CamelidError: _reply, Exception: _reply}
"""For the routes of this package."""
