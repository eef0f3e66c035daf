"""POST /api/show, and GET with the name in the query: everything about one model (contract 7.3)."""

import asyncio

import msgspec
from litestar import Response, get, post

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.ollama.details import DetailsReply, details_reply
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import json_reply
from camelid.api.timestamps import local_time
from camelid.plugins.proofs import Standing
from camelid.services.library import ModelReport, ShowRequest
from camelid.types.json import JsonObject, JsonValue

__all__ = ("show", "show_by_query")


class ShowBody(msgspec.Struct):
    """The request."""

    model: str = ""
    name: str = ""
    """How older clients call it."""
    system: str = ""
    verbose: bool = False
    options: dict[str, object] = {}


class ShowMessage(msgspec.Struct):
    """A turn of the model's own history."""

    role: str
    content: str


class ShowTensor(msgspec.Struct):
    """A tensor of the model's file."""

    name: str
    type: str
    shape: tuple[int, ...]


class ShowReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer."""

    license: str = ""
    modelfile: str
    parameters: str = ""
    template: str = ""
    system: str = ""
    details: DetailsReply
    messages: tuple[ShowMessage, ...] = ()
    remote_model: str = ""
    remote_host: str = ""
    model_info: JsonObject
    projector_info: JsonObject = {}
    tensors: tuple[ShowTensor, ...] = ()
    capabilities: tuple[str, ...] = ()
    modified_at: str
    requires: str = ""
    backend: str = ""
    """Camelid's own: which backend would serve it, if a request names none."""
    backend_reason: str = ""
    """Camelid's own: why, or why none would."""
    backend_standing: Standing | None = None
    """Camelid's own: what the conformance kit found of that backend on this machine; absent if it was never run."""


def _as_go(value: JsonValue) -> JsonValue:
    """A metadata value as Go prints it: a whole number without a fraction, also where the file has a float."""
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return [_as_go(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _reply(report: ModelReport, basename: str) -> Response[bytes]:
    config = report.model.config
    info: JsonObject = {key: _as_go(value) for key, value in report.model_info.items()}
    if basename:
        info["general.basename"] = basename
    return json_reply(
        ShowReply(
            license=report.license,
            modelfile=report.modelfile,
            parameters=report.parameters,
            template=report.template,
            system=report.system,
            details=details_reply(report.details, lengths=False),
            messages=tuple(ShowMessage(message.role, message.content) for message in report.messages),
            remote_model=config.remote_model,
            remote_host=config.remote_host,
            model_info=info,
            projector_info={key: _as_go(value) for key, value in report.projector_info.items()},
            tensors=tuple(ShowTensor(tensor.name, tensor.type, tensor.shape) for tensor in report.tensors),
            capabilities=tuple(capability.value for capability in report.capabilities),
            modified_at=local_time(report.model.modified_at),
            requires=config.requires,
            backend=report.backend,
            backend_reason=report.backend_reason,
            backend_standing=report.standing,
        )
    )


async def _show(request: ApiRequest, services: ApiServices, asked: ShowRequest) -> Response[bytes]:
    report = await services.library.show(asked)
    # This client looks a model up by the name it finds there (contract 1.10).
    copilot = request.headers.get("user-agent", "").startswith("GitHubCopilotChat/")
    # Megabytes, where the vocabulary is in it.
    return await asyncio.to_thread(_reply, report, asked.model if copilot else "")


@post("/api/show", opt={"description": Description(body=ShowBody, answer=ShowReply, errors=(400, 403, 404, 500))})
async def show(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Show a model."""
    body = await read_body(request.receive, ShowBody)
    return await _show(
        request,
        services,
        ShowRequest(model=body.model or body.name, system=body.system, verbose=body.verbose, options=body.options),
    )


@get(
    "/api/show",
    opt={
        "description": Description(
            query={"model": "The model's name.", "verbose": "Whether long lists are told in full: `true` or `1`."},
            answer=ShowReply,
            errors=(400, 403, 404, 500),
        )
    },
)
async def show_by_query(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Show the model named by `model` in the query; with `verbose=true` its arrays too."""
    query = request.query_params
    verbose = query.get("verbose", "").lower() in ("1", "t", "true")
    return await _show(request, services, ShowRequest(model=query.get("model", ""), verbose=verbose))
