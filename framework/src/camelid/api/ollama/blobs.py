"""HEAD and POST /api/blobs/:digest: files for models that are about to be created (contract 7.6)."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, ParamSpec, TypeVar

from litestar import HttpMethod, post, route
from litestar.types import ASGIApp, Receive

from camelid.api.description import Description
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import EmptyReply
from camelid.errors import BlobNotFoundError, RequestCancelledError
from camelid.store.blobs import BlobStore
from camelid.store.digests import parse_digest

__all__ = ("blob_exists", "upload_blob")

_PIECE: Final = 1 << 20
"""Bytes that are gathered before a thread writes them."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def _in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run `function` in a thread, and never return while it still runs: it may hold a file."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _store(blobs: BlobStore, digest: str, receive: Receive) -> None:
    """Write a request's body to the store.

    Raises:
        RequestCancelledError: the client left; nothing stays.
        DigestMismatchError: the bytes have another digest; nothing stays.
        DiskFullError: no room; nothing stays.
    """
    stack = ExitStack()
    try:
        writer = await _in_thread(stack.enter_context, blobs.writer())
        gathered = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestCancelledError("request canceled", reason=f"the client left while it uploaded {digest}")
            if message["type"] == "http.request":
                gathered += message["body"]
                more = message["more_body"]
            if len(gathered) >= _PIECE:
                await _in_thread(writer.write, memoryview(gathered))
                gathered = bytearray()
        await _in_thread(writer.write, memoryview(gathered))
        await _in_thread(writer.commit, digest)
    finally:
        await _in_thread(stack.close)


@route("/api/blobs/{digest:str}", http_method=[HttpMethod.HEAD], opt={"description": Description(errors=(400, 404))})
async def blob_exists(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Whether the store has a blob."""
    digest = str(request.path_params["digest"])
    if not await asyncio.to_thread(services.store.blobs.has, digest):
        raise BlobNotFoundError(f"blob {digest} not found")
    return EmptyReply(200)


@post(
    "/api/blobs/{digest:str}",
    opt={"description": Description(upload=True, statuses=(200, 201), errors=(400, 500, 507))},
)
async def upload_blob(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Store the body under its digest. What is there already is not read again."""
    digest = str(request.path_params["digest"])
    blobs = services.store.blobs
    if await asyncio.to_thread(blobs.touch, digest):
        return EmptyReply(200)
    await _store(blobs, parse_digest(digest), request.receive)
    return EmptyReply(201)
