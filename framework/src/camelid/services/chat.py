"""The use case behind every chat endpoint (contract 5)."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from camelid.engine.pool import Pool
from camelid.errors import RequestError, UnsupportedCapabilityError
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.conversation import Conversation
from camelid.prompts.rendered import RenderedPrompt
from camelid.prompts.tool_calls.choose import choose_parser
from camelid.services.answering import AnswerRequest, answer, answered_without_generating
from camelid.services.checks import (
    check_capability,
    check_images,
    check_logprobs,
    decide_think,
)
from camelid.services.conversation import assemble
from camelid.services.formats import check_format
from camelid.services.loading import Model, Models
from camelid.services.prompting import fitting_prompt
from camelid.services.tool_choice import (
    FirstCall,
    ToolChoice,
    forced_tools,
    reader_of_forced,
    schema_of_forced,
    told_of_tools,
)
from camelid.types.capabilities import Capability
from camelid.types.events import Purpose
from camelid.types.generation import FinishReason, GenerationChunk
from camelid.types.messages import Message, Tool
from camelid.types.options import parse_options

__all__ = ("Chat", "ChatRequest")


class ChatRequest(AnswerRequest, frozen=True, kw_only=True):
    """What to answer to."""

    messages: tuple[Message, ...] = ()
    """None: just load the model, or unload it if `keep_alive` is 0."""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    think_if_able: bool = False
    """A model that cannot think answers without, whatever `think` says."""


class Chat:
    """Answers conversations."""

    def __init__(self, models: Models, pool: Pool, formats: Sequence[RegisteredAnswerFormat] = ()) -> None:
        self._models = models
        self._pool = pool
        self._formats = formats

    async def __call__(self, request: ChatRequest) -> AsyncGenerator[GenerationChunk, None]:
        """Answer; the last chunk, and only it, has `completion` or `prompt`. Close the iterator to stop early.

        Raises:
            CamelidError: before the first chunk if the request is wrong or the model cannot be loaded, in the order
                of contract 5.2; later only if the worker fails.
        """
        started = time.perf_counter_ns()
        check_logprobs(request.top_logprobs)
        if not request.model:
            raise RequestError("model is required")
        model = await self._models.find(request.model)
        if not request.messages and request.keep_alive == 0:
            await self._pool.unload(model.stored.artifact.key)
            yield answered_without_generating(FinishReason.UNLOAD)
            return
        think = decide_think(model, request.model, request.think, if_able=request.think_if_able)
        forced = forced_tools(request.tool_choice, request.tools)
        if forced:
            request = msgspec.structs.replace(request, format=schema_of_forced(request.tool_choice, forced))
        _check(model, request)
        options = parse_options(model.stored.params, request.options)
        messages = assemble(model.stored, request.messages)
        tools = request.tools if request.tool_choice.mode != "none" else ()
        if forced and Capability.TOOLS not in model.capabilities:
            messages, tools = told_of_tools(messages, forced), ()

        def render(kept: Sequence[Message]) -> RenderedPrompt:
            return model.template.render(Conversation(messages=tuple(kept), tools=tools, think=think))

        async with self._pool.lease(model.load_request(options), request.keep_alive, Purpose.CHAT) as lease:
            if request.messages:
                prompt = await fitting_prompt(lease.client, render, messages, truncate=request.truncate)
                parser = choose_parser(
                    model.template,
                    prompt.text,
                    tools=() if request.format else tools,  # an answer in a format is no call
                    think=think,
                    named=model.stored.config.parser,
                    formats=self._formats,
                )
                if forced:
                    parser = reader_of_forced(forced, parser)
                elif parser is not None and not request.tool_choice.parallel:
                    parser = FirstCall(parser)
                chunks = answer(lease, request, prompt, sampling=options.sampling, parser=parser, started=started)
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield chunk
                return
        yield answered_without_generating(FinishReason.LOAD)


def _check(model: Model, request: ChatRequest) -> None:
    if Capability.COMPLETION not in model.capabilities:
        raise UnsupportedCapabilityError(f'"{request.model}" does not support chat')
    if request.tools and request.tool_choice.mode == "auto":
        check_capability(model, Capability.TOOLS)
    if request.messages:
        check_images(model, request.model, request.messages)
        check_format(request.format)
