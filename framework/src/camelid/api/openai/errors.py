"""Errors in OpenAI's envelope (contract 9.1)."""

from typing import Final

import msgspec

from camelid.api.encoding import encode
from camelid.api.errors import error_status, error_text, exception_handlers
from camelid.api.events import event
from camelid.errors import InvalidOptionError

__all__ = ("OPENAI_EXCEPTION_HANDLERS", "OpenAIErrorReply", "error_event")

_TYPES: Final = {400: "invalid_request_error", 404: "not_found_error", 413: "invalid_request_error"}


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


OPENAI_EXCEPTION_HANDLERS: Final = exception_handlers(_body, _status)
"""For the routes of this package."""
