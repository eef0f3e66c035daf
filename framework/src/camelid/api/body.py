"""Request bodies, decoded as Go's `encoding/json` decodes them (contract 1.2).

A body is described by a `msgspec.Struct` whose fields all have defaults. Keys match whatever their case, unknown ones
are ignored, null leaves a field as it is, only the first JSON value counts, and the content type is never looked at.
"""

import asyncio
import re
from typing import Final, TypeVar

import msgspec
from litestar.types import Receive

from camelid.api.compression import decompressed
from camelid.api.json_syntax import first_value
from camelid.api.json_values import read_struct
from camelid.api.request import ApiRequest
from camelid.errors import RequestCancelledError, RequestError, RequestTooLargeError
from camelid.types.json import JsonValue

__all__ = ("decode", "read_body", "read_compatible_body", "received")

_Body = TypeVar("_Body", bound=msgspec.Struct)

_LARGE: Final = 1 << 18
"""Bytes. More take a millisecond or longer to decode: images are in them."""

LARGEST_BODY: Final = 1 << 30
"""Bytes of a request that are taken into memory: an hour of sound fits. Blobs go to the disk as they come."""

_SPACE: Final = b" \t\r\n"

_ESCAPE = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB]..)(?P<low>\\u[dD][c-fC-F]..)?|u(?P<lone>[dD][c-fC-F]..)|.)",
    re.DOTALL,
)
"""One escape sequence of a JSON string; the groups find the halves of UTF-16 surrogate pairs."""


async def read_body(receive: Receive, kind: type[_Body]) -> _Body:
    """Receive and decode a request; a large one beside the event loop, where streams must go on.

    Raises:
        RequestCancelledError: the client left before it had sent everything.
        RequestTooLargeError: it sent more than `LARGEST_BODY`.
        RequestError: the body is empty, malformed, or a value has the wrong type.
    """
    body = await received(receive, most=LARGEST_BODY)
    return await asyncio.to_thread(decode, body, kind) if len(body) > _LARGE else decode(body, kind)


async def read_compatible_body(request: ApiRequest, kind: type[_Body]) -> _Body:
    """Receive and decode a request below `/v1`, where it may be compressed with zstd.

    Raises:
        RequestCancelledError: the client left before it had sent everything.
        RequestTooLargeError: it sent more than `LARGEST_BODY`.
        RequestError: the body is no zstd though its header says so, is empty or malformed, or a value has the wrong
            type.
    """
    body = await received(request.receive, most=LARGEST_BODY)
    if request.headers.get("content-encoding", "").strip().lower() == "zstd":
        body = await asyncio.to_thread(decompressed, body)
    if not body.strip(_SPACE):
        raise RequestError("EOF")
    return await asyncio.to_thread(decode, body, kind) if len(body) > _LARGE else decode(body, kind)


async def received(receive: Receive, *, most: int) -> bytes:
    """A request's body as it was sent.

    Args:
        receive: of the ASGI application.
        most: bytes that it may have.

    Raises:
        RequestCancelledError: the client left before it had sent everything.
        RequestTooLargeError: it has more bytes.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestCancelledError("request canceled", reason="the client left while it sent its request")
        if message["type"] == "http.request":
            parts.append(message["body"])
            size += len(message["body"])
            if size > most:
                raise RequestTooLargeError(f"the request has more than {most:,} bytes: send less at once")
            more = message["more_body"]
    return b"".join(parts)


def decode(body: bytes, kind: type[_Body]) -> _Body:
    """Decode a request.

    Args:
        body: as it was sent.
        kind: what it should hold; a `ChatBody` is called `ChatRequest` in errors, as in Go.

    Raises:
        RequestError: the body is empty, malformed, or a value has the wrong type.
    """
    if not body.strip(_SPACE):
        raise RequestError("missing request body")
    try:
        return read_struct(_parse(body), kind, kind.__name__.removesuffix("Body") + "Request")
    except RecursionError as error:
        raise RequestError("exceeded max depth") from error


def _parse(body: bytes) -> JsonValue:
    """The first JSON value of a body, as plain Python data."""
    try:
        value: JsonValue = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_leniently(first_value(body))
    return value


def _parse_leniently(text: bytes) -> JsonValue:
    """Decode well-formed JSON that msgspec refuses; what is no Unicode becomes U+FFFD, as in Go."""
    repaired = _ESCAPE.sub(_without_lone_surrogate, text.decode(errors="replace"))
    try:
        value: JsonValue = msgspec.json.decode(repaired)
    except msgspec.DecodeError as error:
        # The place that msgspec tells is one in Python's data.
        raise RequestError(f"json: {str(error).partition(' - at ')[0].lower()}", reason=str(error)) from error
    return value


def _without_lone_surrogate(escape: re.Match[str]) -> str:
    lone = escape["lone"] or (escape["high"] and not escape["low"])
    return r"\ufffd" if lone else escape[0]
