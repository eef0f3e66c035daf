"""The use case behind every completion endpoint (contract 4)."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from camelid.engine.client import WorkerClient
from camelid.engine.pool import Pool
from camelid.errors import ModelNotFoundError, RequestError, UnsupportedCapabilityError
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.budget import MAX_REQUEST_SOURCE
from camelid.prompts.choose import choose_template
from camelid.prompts.conversation import Conversation
from camelid.prompts.rendered import RenderedPrompt
from camelid.prompts.template import ChatTemplate
from camelid.prompts.tool_calls.choose import choose_parser
from camelid.services.answering import AnswerRequest, answer, answered_without_generating
from camelid.services.checks import (
    Think,
    check_capability,
    check_images,
    check_logprobs,
    decide_think,
)
from camelid.services.conversation import assemble
from camelid.services.formats import check_format
from camelid.services.loading import NOT_FOUND, Model, Models
from camelid.services.prompting import Prompt, fitting_prompt
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason, GenerationChunk
from camelid.types.messages import Message
from camelid.types.options import parse_options

__all__ = ("Generate", "GenerateRequest")


class GenerateRequest(AnswerRequest, frozen=True, kw_only=True):
    """What to continue."""

    prompt: str = ""
    """Empty, without `tokens`: just load the model, or unload it if `keep_alive` is 0."""
    suffix: str = ""
    """What shall follow the answer: fill in the middle."""
    system: str = ""
    """Replaces the model's system text."""
    template: str = ""
    """Go template that replaces the model's."""
    context: tuple[int, ...] | None = None
    """What an earlier answer gave back: the conversation so far. The model's own history is no part of it."""
    raw: bool = False
    """The prompt is for the model as it is, without template."""
    images: tuple[bytes, ...] = ()
    tokens: tuple[int, ...] = ()
    """The prompt as token ids, in place of `prompt`; with `raw`."""

    @property
    def begun(self) -> bool:
        """Whether there is anything to continue."""
        return bool(self.prompt or self.tokens)


class Generate:
    """Continues prompts."""

    def __init__(self, models: Models, pool: Pool, formats: Sequence[RegisteredAnswerFormat] = ()) -> None:
        self._models = models
        self._pool = pool
        self._formats = formats

    async def __call__(self, request: GenerateRequest) -> AsyncGenerator[GenerationChunk, None]:
        """Answer; the last chunk, and only it, has `completion` or `prompt`. Close the iterator to stop early.

        Raises:
            CamelidError: before the first chunk if the request is wrong or the model cannot be loaded, in the order
                of contract 4.2; later only if the worker fails.
        """
        started = time.perf_counter_ns()
        check_logprobs(request.top_logprobs)
        if not request.model:
            raise ModelNotFoundError(NOT_FOUND.format(name=""))
        model = await self._models.find(request.model)
        if not request.begun and request.keep_alive == 0:
            await self._pool.unload(model.stored.artifact.key)
            yield answered_without_generating(FinishReason.UNLOAD)
            return
        if Capability.IMAGE in model.capabilities:
            raise UnsupportedCapabilityError("image generation models are not currently supported")
        if request.raw and (request.template or request.system or request.context):
            raise RequestError("raw mode does not support template, system, or context")
        think = decide_think(model, request.model, request.think)
        _check(model, request)
        template = await _template(model, request)
        options = parse_options(model.stored.params, request.options)
        async with self._pool.lease(model.load_request(options), request.keep_alive) as lease:
            if request.begun:
                prompt = await _prompt(lease.client, model, template, request, think)
                parser = None
                if not request.raw:
                    named = "" if request.template else model.stored.config.parser
                    parser = choose_parser(template, prompt.text, think=think, named=named, formats=self._formats)
                chunks = answer(
                    lease,
                    request,
                    prompt,
                    sampling=options.sampling,
                    parser=parser,
                    started=started,
                    return_context=not request.raw,
                )
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield chunk
                return
        yield answered_without_generating(FinishReason.LOAD)


def _check(model: Model, request: GenerateRequest) -> None:
    if Capability.COMPLETION not in model.capabilities:
        raise UnsupportedCapabilityError(f'"{request.model}" does not support generate')
    if request.suffix:
        check_capability(model, Capability.INSERT)
        if request.images and not request.raw:
            raise RequestError("a text with a gap has no place for images: leave out images or suffix")
    if request.prompt:
        check_images(model, request.model, [Message(role="user", images=request.images)])
        check_format(request.format)


async def _template(model: Model, request: GenerateRequest) -> ChatTemplate:
    """The model's template, or the Go template that the request brings.

    Raises:
        RequestError: the request's is too long.
        ModelError: it is not valid; Ollama's status is 500 here (contract 4.1).
    """
    if not request.template:
        return model.template
    if len(request.template) > MAX_REQUEST_SOURCE:
        raise RequestError(f"the template has more than {MAX_REQUEST_SOURCE:,} characters: send a shorter one")
    return await asyncio.to_thread(choose_template, request.template, "")


async def _prompt(
    client: WorkerClient, model: Model, template: ChatTemplate, request: GenerateRequest, think: Think
) -> Prompt:
    """The prompt by the rules of contract 4.4."""
    if request.tokens:
        return Prompt("", add_special=False, tokens=request.tokens)
    question = Message(role="user", content=request.prompt, images=request.images)
    if request.raw:
        return await fitting_prompt(client, _as_it_is, [question], truncate=False)
    if request.suffix:
        gap = Conversation(prompt=request.prompt, suffix=request.suffix, think=think)
        rendered = await asyncio.to_thread(template.render, gap)
        return Prompt(rendered.text, rendered.add_special)

    def render(messages: Sequence[Message]) -> RenderedPrompt:
        return template.render(Conversation(messages=tuple(messages), think=think))

    messages = assemble(model.stored, [question], system=request.system or None, history=request.context is None)
    prompt = await fitting_prompt(client, render, messages, truncate=request.truncate)
    if request.context:
        # Ollama turns these tokens into text and back, which loses control tokens on the way; here they stay tokens,
        # so the conversation keeps its shape and its cached prefix.
        return msgspec.structs.replace(prompt, add_special=False, before=request.context)
    return prompt


def _as_it_is(messages: Sequence[Message]) -> RenderedPrompt:
    """What `raw` has in place of a template."""
    return RenderedPrompt("".join(message.content for message in messages))
