"""Errors on their way to a client: a status, a sentence, and for the log the reason (contract 1.3, 1.4)."""

import logging
import re
from collections.abc import Callable
from typing import TypeAlias

from litestar import Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import ExceptionHandlersMap

from camelid.api.request import ApiRequest
from camelid.api.responses import PLAIN_JSON, json_reply, terminated_json_reply, text_reply
from camelid.errors import CamelidError, RequestCancelledError, RequestError, ServerBusyError

__all__ = (
    "EXCEPTION_HANDLERS",
    "PROGRESS_EXCEPTION_HANDLERS",
    "ErrorBody",
    "error_body",
    "error_status",
    "error_text",
    "exception_handlers",
    "log_error",
    "method_not_allowed",
    "not_found",
)

_logger = logging.getLogger(__name__)

_QUERY = re.compile(r"(?<=\S)\?[^\s\"']+")
_UNEXPECTED = "internal server error; the server's log says more"


ErrorBody: TypeAlias = Callable[[Exception], object]
"""Makes the JSON object in which an API tells an error."""


def error_text(error: Exception) -> str:
    """What a client is told; of an unexpected exception nothing but that it happened."""
    return error.message if isinstance(error, CamelidError) else _UNEXPECTED


def error_status(error: Exception) -> int:
    """The HTTP status."""
    return error.status if isinstance(error, CamelidError) else 500


def error_body(error: Exception) -> dict[str, str]:
    """How Ollama's own API tells an error."""
    return {"error": error_text(error)}


def log_error(error: Exception) -> None:
    """Tell the log what the client is not told."""
    if not isinstance(error, CamelidError):
        _logger.error("unexpected error while answering a request", exc_info=error)
        return
    expected = isinstance(error, (RequestError, RequestCancelledError, ServerBusyError))
    level = logging.DEBUG if expected else logging.ERROR
    plugin = f" (plugin {error.plugin})" if error.plugin else ""
    reason = f": {error.reason}" if error.reason else ""
    # Clients are told what they sent; in a log the query of an address, which may be a secret, has no place.
    told = _QUERY.sub("?…", f"{error.message}{plugin}{reason}")
    _logger.log(level, "answered %d: %s", error.status, told)


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
    return json_reply(error_body(error), error_status(error))


def _known_of_progress(_request: ApiRequest, error: Exception) -> Response[bytes]:
    log_error(error)
    return json_reply(error_body(error), error_status(error), PLAIN_JSON)


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


def exception_handlers(body: ErrorBody, status: Callable[[Exception], int] = error_status) -> ExceptionHandlersMap:
    """For the routes of another API than Ollama's own, whose errors look different (contract 9.1, 10.1).

    Args:
        body: how it tells an error.
        status: which one it has.
    """

    def handle(_request: ApiRequest, error: Exception) -> Response[bytes]:
        log_error(error)
        return terminated_json_reply(body(error), status(error))

    return {CamelidError: handle, Exception: handle}
