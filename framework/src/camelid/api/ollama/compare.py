"""POST /api/compare: the same prompts on several models and backends. Ollama has nothing like it."""

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.encoding import encode
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.streaming import LineStream
from camelid.services.comparison import Agreement, Compared, CompareEvent, CompareRequest, Loaded
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonValue

__all__ = ("compare",)


class CompareBody(msgspec.Struct):
    """The request. Every model is asked on every backend; without backends, on the one that would serve it."""

    models: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    """At most 64."""
    tokens: int = 64
    """Longest answer, at most 1024."""
    options: dict[str, object] = {}
    """Those that matter when a model is loaded; answers are greedy."""
    keep_alive: JsonValue = None


class CompareReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What is new of one target's work on one prompt: exactly one of the fields after `prompt` and `target`."""

    prompt: int
    """Index of the prompt."""
    target: int
    """Index of the target: models in their order, each on all backends in theirs."""
    loaded: Loaded | None = None
    text: str = ""
    """More of the answer."""
    answer: Compared | None = None
    agreement: Agreement | None = None
    """With the first target that answered."""
    failure: str = ""
    """The target failed; the others go on."""


@post(
    "/api/compare",
    opt={
        "description": Description(body=CompareBody, lines=CompareReply, errors=(400, 403, 404, 500, 503)),
    },
)
async def compare(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Ask several models, or one on several backends, the same, and tell how far they agree."""
    body = await read_body(request.receive, CompareBody)
    asked = CompareRequest(
        models=body.models,
        backends=body.backends,
        **({"prompts": body.prompts} if body.prompts else {}),
        tokens=body.tokens,
        options=body.options,
        keep_alive=parse_keep_alive(body.keep_alive),
    )
    return LineStream(services.compare(asked), _line)


def _line(event: CompareEvent) -> bytes:
    reply = CompareReply(
        prompt=event.prompt,
        target=event.target,
        loaded=event.loaded,
        text=event.text,
        answer=event.answer,
        agreement=event.agreement,
        failure=event.failure,
    )
    return encode(reply) + b"\n"
