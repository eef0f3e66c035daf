"""GET /api/tags, POST /api/copy and DELETE /api/delete: the models on this disk (contract 7.1, 7.4, 7.5)."""

import asyncio
from functools import lru_cache
from typing import Final

import msgspec
from litestar import HttpMethod, Response, delete, post, route
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.encoding import encode
from camelid.api.ollama.details import DetailsReply, details_reply
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import EmptyReply, json_reply
from camelid.api.timestamps import local_time
from camelid.services.library import ListedModel

__all__ = ("copy", "remove", "tags")

_MANY: Final = 50
"""So many rows may take a millisecond to write; more are written beside the event loop."""


class TagsEntry(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A model."""

    name: str
    model: str
    remote_model: str = ""
    remote_host: str = ""
    modified_at: str
    size: int
    digest: str
    details: DetailsReply
    capabilities: tuple[str, ...] = ()


class TagsReply(msgspec.Struct):
    """The list."""

    models: list[TagsEntry]


class _EncodedTags(msgspec.Struct):
    """The same, of entries that are written already."""

    models: list[msgspec.Raw]


class CopyBody(msgspec.Struct):
    """Which model shall have which second name."""

    source: str = ""
    destination: str = ""


class DeleteBody(msgspec.Struct):
    """Which model shall go."""

    model: str = ""
    name: str = ""
    """How older clients call it."""


@lru_cache(maxsize=4096)
def _entry(row: ListedModel) -> msgspec.Raw:
    """A model as it is written; lists are asked for again and again, and their rows stay the same."""
    model, name = row.model, row.model.name.short
    entry = TagsEntry(
        name=name,
        model=name,
        remote_model=model.config.remote_model,
        remote_host=model.config.remote_host,
        modified_at=local_time(model.modified_at),
        size=model.size,
        digest=model.digest,
        details=details_reply(row.details, lengths=True),
        capabilities=tuple(capability.value for capability in row.capabilities),
    )
    return msgspec.Raw(encode(entry))


def _list(rows: tuple[ListedModel, ...]) -> Response[bytes]:
    return json_reply(_EncodedTags([_entry(row) for row in rows]))


@route("/api/tags", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"description": Description(answer=TagsReply)})
async def tags(services: ApiServices) -> Response[bytes]:
    """Every model, the newest first."""
    rows = await services.library.rows()
    return await asyncio.to_thread(_list, rows) if len(rows) > _MANY else _list(rows)


@post("/api/copy", opt={"description": Description(body=CopyBody, errors=(400, 403, 404, 500))})
async def copy(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Give a model a second name."""
    body = await read_body(request.receive, CopyBody)
    await services.library.copy(body.source, body.destination)
    return EmptyReply()


@delete("/api/delete", status_code=200, opt={"description": Description(body=DeleteBody, errors=(400, 404, 500))})
async def remove(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Remove a model. The name stands in the body, although the method is DELETE."""
    body = await read_body(request.receive, DeleteBody)
    await services.library.delete(body.model or body.name)
    return EmptyReply()
