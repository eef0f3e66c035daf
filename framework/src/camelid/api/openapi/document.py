"""From Litestar's routes to an OpenAPI 3.1 document."""

from collections.abc import Iterator
from http import HTTPStatus
from inspect import getdoc

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

import camelid
from camelid.api.description import Description
from camelid.api.openapi.schemas import Schemas
from camelid.types.json import JsonObject

__all__ = ("document",)


class ErrorReply(msgspec.Struct):
    """A failure; also the last line of a stream that failed on its way."""

    error: str


def document(app: Litestar) -> JsonObject:
    """Describe all routes of an application."""
    operations = list(_operations(app))
    kinds = {kind for *_, description in operations for kind in _kinds(description)}
    schemas = Schemas([*sorted(kinds, key=lambda kind: kind.__name__), ErrorReply])
    paths: dict[str, JsonObject] = {}
    for route, method, handler, description in operations:
        operation = _operation(route, method, handler, description)
        paths.setdefault(route.path_format, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Camelid",
            "version": camelid.__version__,
            "description": "Language models behind Ollama's HTTP API.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components},
    }


def _operations(app: Litestar) -> Iterator[tuple[HTTPRoute, str, HTTPRouteHandler, Description]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in sorted(set(handler.http_methods) - {"OPTIONS"}):
                    yield route, method, handler, handler.opt["description"]


def _kinds(description: Description) -> Iterator[type[msgspec.Struct]]:
    for kind in (description.body, description.answer, description.lines, description.events, description.error):
        if kind is not None:
            yield kind


def _operation(route: HTTPRoute, method: str, handler: HTTPRouteHandler, description: Description) -> JsonObject:
    summary = (getdoc(handler.fn) or "").partition("\n\n")[0].replace("\n", " ")
    operation: JsonObject = {
        "operationId": f"{method.lower()}{route.path_format.translate(_SEPARATORS)}",
        "summary": summary.removesuffix("."),
        "responses": _responses(description, with_body=method != "HEAD"),
    }
    parameters = [
        *(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in route.path_parameters
        ),
        *(
            {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
            for name, meaning in description.query.items()
        ),
    ]
    if parameters:
        operation["parameters"] = parameters
    if description.body is not None:
        operation["requestBody"] = _body("application/json", Schemas.of(description.body))
    elif description.upload:
        operation["requestBody"] = _body("application/octet-stream", {})
    return operation


_SEPARATORS = str.maketrans({"/": "_", "-": "_", ".": "_", "{": None, "}": None})


def _body(media_type: str, schema: JsonObject) -> JsonObject:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _responses(description: Description, *, with_body: bool) -> JsonObject:
    successes = {
        str(status): _response(status, _content(description) if with_body else {}) for status in description.statuses
    }
    kind = description.error or ErrorReply
    error: JsonObject = {"application/json": {"schema": Schemas.of(kind)}} if with_body else {}
    return {**successes, **{str(status): _response(status, error) for status in description.errors}}


def _content(description: Description) -> JsonObject:
    content: JsonObject = {}
    if description.lines is not None:
        content["application/x-ndjson"] = {"schema": Schemas.of(description.lines)}
    if description.events is not None:
        content["text/event-stream"] = {"schema": Schemas.of(description.events)}
    if description.answer is not None:
        content["application/json"] = {"schema": Schemas.of(description.answer)}
    if description.text:
        content["text/plain"] = {"schema": {"type": "string"}}
    return content


def _response(status: int, content: JsonObject) -> JsonObject:
    phrase = "Client closed request" if status == 499 else HTTPStatus(status).phrase
    return {"description": phrase, "content": content} if content else {"description": phrase}
