"""POST /api/create: make a model from another one or from uploaded files (contract 7.7)."""

import asyncio

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.errors import PROGRESS_EXCEPTION_HANDLERS
from camelid.api.ollama.messages import MessageBody, read_messages
from camelid.api.ollama.progress import ProgressReply, progress_reply
from camelid.api.request import ApiRequest, ApiServices
from camelid.errors import RequestError
from camelid.services.create_request import CreateRequest
from camelid.types.json import JsonValue

__all__ = ("create",)


class CreateBody(msgspec.Struct):
    """The request."""

    model: str = ""
    name: str = ""
    """How older clients call it."""
    stream: bool = True
    base: str = msgspec.field(name="from", default="")
    files: dict[str, str] | None = None
    adapters: dict[str, str] = {}
    draft_files: dict[str, str] = {}
    template: str = ""
    system: str = ""
    license: JsonValue = None
    parameters: dict[str, object] = {}
    messages: tuple[MessageBody, ...] = ()
    quantize: str = ""
    quantization: str = ""
    """How older clients call it."""
    draft_quantize: str = ""
    format: str = ""
    """What to convert safetensors to, `gguf` or `onnx`. Camelid's own."""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    info: dict[str, object] = {}
    modelfile: str = ""
    """How older clients say what the model is made of: the text of a Modelfile."""
    path: str = ""
    """The same: where a Modelfile lies on the server. Without effect if there is `modelfile`."""


def _licenses(value: JsonValue) -> tuple[str, ...]:
    """One text, or a list of them.

    Raises:
        RequestError: neither.
    """
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RequestError("license must be a string or a list of strings")
    return tuple(text for text in texts if text)


@post(
    "/api/create",
    exception_handlers=PROGRESS_EXCEPTION_HANDLERS,
    opt={
        "description": Description(
            body=CreateBody, answer=ProgressReply, lines=ProgressReply, errors=(400, 403, 404, 500, 507)
        )
    },
)
async def create(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Make a model."""
    body = await read_body(request.receive, CreateBody)
    wanted = CreateRequest(
        model=body.model or body.name,
        from_=body.base,
        files=body.files,
        adapters=body.adapters,
        draft_files=body.draft_files,
        template=body.template,
        system=body.system,
        licenses=_licenses(body.license),
        parameters=body.parameters,
        messages=await read_messages(body.messages),
        quantize=body.quantize or body.quantization,
        draft_quantize=body.draft_quantize,
        format=body.format,
        renderer=body.renderer,
        parser=body.parser,
        requires=body.requires,
        remote_host=body.remote_host,
        info=body.info,
    )
    if not body.base and body.files is None and (body.modelfile or body.path):
        wanted = await asyncio.to_thread(services.modelfiles.complete, wanted, text=body.modelfile, path=body.path)
    else:
        wanted = await asyncio.to_thread(services.modelfiles.locate, wanted)
    return await progress_reply(request, services.create(wanted), stream=body.stream)
