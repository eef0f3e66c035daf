"""Errors on their way to a client: a status, a sentence, and for the log the reason (contract 1.3, 1.4)."""

import logging

from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import ExceptionHandlersMap

from camelid.api.request import ApiRequest
from camelid.api.responses import PLAIN_JSON, json_reply, text_reply
from camelid.errors import CamelidError, RequestCancelledError, RequestError, ServerBusyError

__all__ = (
    "EXCEPTION_HANDLERS",
    "PROGRESS_EXCEPTION_HANDLERS",
    "error_body",
    "log_error",
    "method_not_allowed",
    "not_found",
)

_logger = logging.getLogger(__name__)

_UNEXPECTED = "internal server error; the server's log says more"


def error_body(error: Exception) -> dict[str, str]:
    """What a client is told; of an unexpected exception nothing but that it happened."""
    return {"error": error.message if isinstance(error, CamelidError) else _UNEXPECTED}


def log_error(error: Exception) -> None:
    """Tell the log what the client is not told."""
    if not isinstance(error, CamelidError):
        _logger.error("unexpected error while answering a request", exc_info=error)
        return
    expected = isinstance(error, (RequestError, RequestCancelledError, ServerBusyError))
    level = logging.DEBUG if expected else logging.ERROR
    plugin = f" (plugin {error.plugin})" if error.plugin else ""
    reason = f": {error.reason}" if error.reason else ""
    _logger.log(level, "answered %d: %s%s%s", error.status, error.message, plugin, reason)


def not_found() -> Response[bytes]:
    """No such path."""
    return text_reply("404 page not found", 404, "text/plain")


def method_not_allowed(error: MethodNotAllowedException) -> Response[bytes]:
    """The path exists, for the methods that Litestar put into the error; its own OPTIONS is not one of them."""
    methods = set(str((error.headers or {}).get("allow", "")).split(", ")) - {"OPTIONS"}
    reply = text_reply("405 method not allowed", 405, "text/plain")
    reply.set_header("Allow", ", ".join(sorted(methods)))
    return reply


def _known(_request: ApiRequest, error: Exception) -> Response[bytes]:
    log_error(error)
    status = error.status if isinstance(error, CamelidError) else 500
    return json_reply(error_body(error), status)


def _known_of_progress(_request: ApiRequest, error: Exception) -> Response[bytes]:
    log_error(error)
    status = error.status if isinstance(error, CamelidError) else 500
    return json_reply(error_body(error), status, PLAIN_JSON)


def _of_litestar(_request: ApiRequest, error: Exception) -> Response[bytes]:
    """What Litestar itself found wrong with a request, such as a malformed Host header."""
    if isinstance(error, NotFoundException):
        return not_found()
    if isinstance(error, MethodNotAllowedException):
        return method_not_allowed(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return json_reply({"error": error.detail}, error.status_code)
    return _known(_request, error)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    CamelidError: _known,
    HTTPException: _of_litestar,
    Exception: _known,
}
"""For the whole application."""

PROGRESS_EXCEPTION_HANDLERS: ExceptionHandlersMap = {CamelidError: _known_of_progress}
"""For pull and create, whose replies name no character set."""
