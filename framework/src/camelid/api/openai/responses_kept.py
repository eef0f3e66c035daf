"""Responses that are kept: GET and DELETE /v1/responses/{id}, cancelling them, and their input items."""

from typing import Final

import msgspec
from litestar import Response, delete, get, post

from camelid.api.description import Description
from camelid.api.openai.errors import OpenAIErrorReply
from camelid.api.openai.responses_items import ResponseReply
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import PLAIN_JSON, terminated_json_reply
from camelid.errors import RequestError

__all__ = ("cancel_response", "delete_response", "input_items", "response")

_MOST_ITEMS: Final = 100


class DeletedResponse(msgspec.Struct):
    """A response that is gone."""

    id: str
    object: str = "response"
    deleted: bool = True


class InputItems(msgspec.Struct, kw_only=True):
    """A page of input items."""

    object: str = "list"
    data: list[msgspec.Raw]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


class _Named(msgspec.Struct):
    id: str


def _kept(reply: bytes) -> Response[bytes]:
    return Response(reply, status_code=200, media_type=PLAIN_JSON)


@get(
    "/v1/responses/{response_id:str}",
    opt={"description": Description(answer=ResponseReply, errors=(400, 404), error=OpenAIErrorReply)},
)
async def response(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """A response that is kept."""
    if request.query_params.get("stream", "false").lower() not in ("false", "0", ""):
        raise RequestError("a kept response is not streamed: leave out stream")
    return _kept(services.kept_responses.get(request.path_params["response_id"]).reply)


@delete(
    "/v1/responses/{response_id:str}",
    status_code=200,
    opt={"description": Description(answer=DeletedResponse, errors=(404,), error=OpenAIErrorReply)},
)
async def delete_response(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Forget a response."""
    name = request.path_params["response_id"]
    await services.kept_responses.delete(name)
    return terminated_json_reply(DeletedResponse(name))


@post(
    "/v1/responses/{response_id:str}/cancel",
    status_code=200,
    opt={"description": Description(answer=ResponseReply, errors=(400, 404), error=OpenAIErrorReply)},
)
async def cancel_response(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Stop making a response in the background; one that is finished stays as it is."""
    kept = await services.kept_responses.cancel(request.path_params["response_id"])
    if not msgspec.json.decode(kept.reply, type=_Background).background:
        raise RequestError("only responses in the background can be cancelled; close the connection of others")
    return _kept(kept.reply)


class _Background(msgspec.Struct):
    background: bool


@get(
    "/v1/responses/{response_id:str}/input_items",
    opt={
        "description": Description(
            query={
                "limit": "How many, at most 100; without it 20.",
                "order": "desc: the last one first, as without it; or asc.",
                "after": "The id of the item that the page begins behind.",
            },
            answer=InputItems,
            errors=(400, 404),
            error=OpenAIErrorReply,
        )
    },
)
async def input_items(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """What the client sent for a response, page by page."""
    items = services.kept_responses.get(request.path_params["response_id"]).input_items
    query = request.query_params
    limit, order, after = query.get("limit", "20"), query.get("order", "desc"), query.get("after")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= _MOST_ITEMS):
        raise RequestError(f"limit must be between 1 and {_MOST_ITEMS}")
    if order not in ("asc", "desc"):
        raise RequestError("order must be asc or desc")
    ordered = items if order == "asc" else items[::-1]
    names = [msgspec.json.decode(item, type=_Named).id for item in ordered]
    if after and after not in names:
        raise RequestError(f"there is no input item '{after}'")
    start = names.index(after) + 1 if after else 0
    shown = slice(start, start + int(limit))
    return terminated_json_reply(
        InputItems(
            data=[msgspec.Raw(item) for item in ordered[shown]],
            first_id=next(iter(names[shown]), None),
            last_id=next(reversed(names[shown]), None),
            has_more=len(names) > start + int(limit),
        )
    )
