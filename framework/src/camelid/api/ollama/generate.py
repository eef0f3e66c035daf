"""POST /api/generate (contract 4)."""

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.base64_files import decode_files
from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.encoding import encode, encode_text
from camelid.api.ollama.generation import (
    DebugInfo,
    GenerationBody,
    Logprob,
    debug_info,
    joined,
    metrics,
    read_logprobs,
    reply,
)
from camelid.api.ollama.values import parse_think
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.timestamps import now
from camelid.services.generate import GenerateRequest
from camelid.types.durations import parse_keep_alive
from camelid.types.generation import GenerationChunk

__all__ = ("GenerateShape", "generate")


class GenerateBody(GenerationBody, kw_only=True):
    """The request (contract 4.1)."""

    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: tuple[int, ...] | None = None
    raw: bool = False
    images: tuple[str, ...] = ()


class GenerateReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer, or a line of it (contract 4.5)."""

    model: str
    created_at: str
    response: str
    thinking: str = ""
    done: bool
    done_reason: str = ""
    context: tuple[int, ...] = ()
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    debug: DebugInfo | None = msgspec.field(name="_debug_info", default=None)
    logprobs: tuple[Logprob, ...] = ()


class GenerateShape:
    """Writes the answers of one request."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._head = b'{"model":' + encode_text(model) + b',"created_at":"'

    def line(self, chunk: GenerationChunk) -> bytes:
        """A chunk as a line of a stream."""
        if chunk.thinking or chunk.logprobs or chunk.completion:
            return encode(self._reply(chunk)) + b"\n"
        # Nearly every chunk: text and nothing else.
        return b'%b%b","response":%b,"done":false}\n' % (self._head, now().encode(), encode_text(chunk.content))

    def whole(self, chunks: list[GenerationChunk]) -> GenerateReply:
        """All chunks as one object."""
        return self._reply(joined(chunks))

    def _reply(self, chunk: GenerationChunk) -> GenerateReply:
        answer = GenerateReply(
            model=self._model,
            created_at=now(),
            response=chunk.content,
            thinking=chunk.thinking,
            done=chunk.completion is not None,
            debug=debug_info(chunk),
            logprobs=read_logprobs(chunk.logprobs),
        )
        if chunk.completion is None:
            return answer
        return msgspec.structs.replace(
            answer,
            done_reason=chunk.completion.reason.value,
            context=chunk.completion.context,
            **metrics(chunk.completion),
        )


@post(
    "/api/generate",
    opt={
        "description": Description(
            body=GenerateBody, answer=GenerateReply, lines=GenerateReply, errors=(400, 403, 404, 500, 503)
        )
    },
)
async def generate(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Continue a prompt. An empty one loads or unloads the model, and is never answered with a stream."""
    body = await read_body(request.receive, GenerateBody)
    chunks = services.generate(
        GenerateRequest(
            model=body.model,
            prompt=body.prompt,
            suffix=body.suffix,
            system=body.system,
            template=body.template,
            context=body.context,
            raw=body.raw,
            images=await decode_files(body.images),
            options=body.options,
            keep_alive=parse_keep_alive(body.keep_alive),
            think=parse_think(body.think),
            format=body.format,
            truncate=body.truncate,
            shift=body.shift,
            logprobs=body.logprobs,
            top_logprobs=body.top_logprobs,
            render_only=body.debug_render_only,
        )
    )
    stream = body.stream and bool(body.prompt) and not body.debug_render_only
    return await reply(request, chunks, GenerateShape(body.model), stream=stream)
