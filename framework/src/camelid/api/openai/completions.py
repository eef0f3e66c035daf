"""POST /v1/completions (contract 9.3)."""

import asyncio

import msgspec
from litestar import post
from litestar.types import ASGIApp

from camelid.api.body import read_compatible_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.events import EventStream
from camelid.api.openai.completion_reply import CompletionShape, TextCompletion
from camelid.api.openai.errors import OpenAIErrorReply, error_event
from camelid.api.openai.generation import GenerationFields, choice_count, read_options
from camelid.api.openai.tokens import Given, read_given
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import terminated_json_reply
from camelid.errors import RequestError
from camelid.services.choices import merged
from camelid.services.container import Services
from camelid.services.generate import GenerateRequest
from camelid.services.tokenize import DetokenizeRequest
from camelid.types.durations import parse_keep_alive
from camelid.types.json import JsonObject, JsonValue

__all__ = ("completions",)


class CompletionBody(GenerationFields, kw_only=True):
    """The request. A text goes through the model's template, unless it is `raw`; token ids never do."""

    prompt: JsonValue = None
    """A text, token ids, or several of either. Without it the model is loaded."""
    raw: bool = False
    """Camelid's own: the prompts are for the model as they are."""
    suffix: str = ""
    echo: bool = False
    """Answers begin with their prompt."""
    best_of: int | None = None
    """So many answers are made, and the `n` most likely ones are given."""
    logprobs: int | None = None
    """So many of the most likely tokens for each place."""


@post(
    "/v1/completions",
    status_code=200,
    opt={
        "description": Description(
            body=CompletionBody,
            answer=TextCompletion,
            events=TextCompletion,
            errors=(400, 403, 404, 500, 503),
            error=OpenAIErrorReply,
        )
    },
)
async def completions(request: ApiRequest, services: ApiServices) -> ASGIApp:
    """Continue prompts."""
    body = await read_compatible_body(request, CompletionBody)
    prompts = _prompts(body.prompt)
    made = _check(body, len(prompts))
    asked = [_asked(body, prompt, choose=made > body.n) for prompt in prompts]
    echoed = [""] * len(asked)
    if body.echo:
        async with cancelled_when_gone(request.receive):
            echoed = await asyncio.gather(*(_text(each, services) for each in asked))
    chunks = merged(
        [services.generate(msgspec.structs.replace(each, choice=place)) for each in asked for place in range(made)]
    )
    shape = CompletionShape(
        body.model,
        echoed,
        count=body.n,
        include_usage=body.stream_options.include_usage,
        logprobs=body.logprobs is not None,
        best_of=made,
    )
    if body.stream:
        return EventStream(shape.events(chunks), failed=error_event)
    async with cancelled_when_gone(request.receive):
        answer = await shape.whole(chunks)
    return terminated_json_reply(answer).to_asgi_response(None, request)


def _prompts(value: JsonValue) -> tuple[Given, ...]:
    if value is None:
        return ("",)
    prompts = read_given(value)
    if not prompts or () in prompts:
        raise RequestError("invalid prompt: it must be a text, token ids, or a list of either")
    return prompts


def _check(body: CompletionBody, prompts: int) -> int:
    """How many answers are made to each prompt.

    Raises:
        RequestError: too many, or a combination that cannot be.
    """
    made = choice_count(body.n) if body.best_of is None else choice_count(body.best_of, "best_of")
    choice_count(body.n)
    choice_count(prompts * made, "the number of prompts times that of answers to each")
    if made < body.n:
        raise RequestError("best_of must not be less than n")
    if made > body.n and body.stream:
        raise RequestError("the best of several answers cannot be streamed: leave out stream or best_of")
    if body.echo and body.logprobs is not None:
        raise RequestError("there are no log-probabilities of prompts: leave out echo or logprobs")
    return made


def _asked(body: CompletionBody, prompt: Given, *, choose: bool) -> GenerateRequest:
    text, tokens = (prompt, ()) if isinstance(prompt, str) else ("", prompt)
    return GenerateRequest(
        model=body.model,
        prompt=text,
        tokens=tokens,
        raw=body.raw or bool(tokens),
        suffix=body.suffix,
        options=_options(body),
        keep_alive=parse_keep_alive(body.keep_alive),
        logprobs=choose or body.logprobs is not None,
        top_logprobs=body.logprobs or 0,
    )


def _options(body: CompletionBody) -> JsonObject:
    """As of a chat, but penalties are 0 and a top-p of 0 is 1."""
    given = msgspec.structs.replace(
        body,
        top_p=body.top_p or None,
        frequency_penalty=body.frequency_penalty or 0.0,
        presence_penalty=body.presence_penalty or 0.0,
    )
    return read_options(given, _stop(body.stop), body.max_tokens)


def _stop(value: JsonValue) -> list[str] | None:
    if value is None:
        return None
    stop: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str):
            kinds: dict[type, str] = {bool: "bool", int: "float64", float: "float64", list: "[]interface {}"}
            kind = kinds.get(type(item), "<nil>" if item is None else "map[string]interface {}")
            raise RequestError(f"invalid type for 'stop' field: {kind}")
        stop += [item] if item else []
    return stop


async def _text(asked: GenerateRequest, services: Services) -> str:
    """The prompt as text."""
    if not asked.tokens:
        return asked.prompt
    request = DetokenizeRequest(
        model=asked.model, tokens=asked.tokens, options=asked.options, keep_alive=asked.keep_alive
    )
    return (await services.detokenize(request)).text
