"""From a conversation to a prompt that fits the model's context (contract 3.7)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from camelid.engine.client import WorkerClient
from camelid.prompts.rendered import RenderedPrompt
from camelid.services.conversation import kept_from, turn_starts
from camelid.types.messages import Message

__all__ = ("Prompt", "Render", "fitting_prompt")

Render: TypeAlias = Callable[[Sequence[Message]], RenderedPrompt]
"""Applies the model's template; may be slow, because templates are strangers' programs."""

_SPECIAL_TOKENS: Final = 8
"""Room for what tokenizers put around a text: begin and end tokens, a leading space."""


class Prompt(msgspec.Struct, frozen=True):
    """What goes to the worker."""

    text: str
    add_special: bool
    tokens: tuple[int, ...] | None = None
    """The whole prompt, where it had to be tokenized anyway."""

    @property
    def content(self) -> str | tuple[int, ...]:
        """The tokens if they are known, else the text."""
        return self.text if self.tokens is None else self.tokens


async def fitting_prompt(
    client: WorkerClient, render: Render, messages: Sequence[Message], *, truncate: bool
) -> Prompt:
    """Render the conversation, without its oldest turns if it is too long for the context.

    System messages and the last message always stay; if even these are too long, the worker cuts or refuses.

    Args:
        client: counts tokens, and knows the context's length.
        render: turns messages into a prompt; called in a thread.
        messages: the whole conversation, not empty.
        truncate: whether turns may be left out at all.

    Raises:
        CamelidError: the template cannot render the conversation.
    """
    limit = client.ready.facts.context_length
    rendered = await asyncio.to_thread(render, messages)
    if not truncate or _surely_fits(rendered.text, limit):
        return Prompt(rendered.text, rendered.add_special)
    prompt = await _tokenized(client, rendered)
    starts = turn_starts(messages)
    low, high = 1, len(starts) - 1
    if len(prompt.content) < limit or low > high:
        return prompt
    best: Prompt | None = None
    while low <= high:
        middle = (low + high) // 2
        rendered = await asyncio.to_thread(render, kept_from(messages, starts[middle]))
        prompt = await _tokenized(client, rendered)
        if len(prompt.content) < limit:
            best, high = prompt, middle - 1
        else:
            low = middle + 1
    return best or prompt


def _surely_fits(text: str, limit: int) -> bool:
    """Whether no tokenizer can make `limit` tokens of `text`: a token stands for a byte at least.

    Normalisation may break that rule in rare scripts; then the worker cuts the prompt instead.
    """
    return len(text.encode("utf-8", "replace")) + _SPECIAL_TOKENS < limit


async def _tokenized(client: WorkerClient, rendered: RenderedPrompt) -> Prompt:
    tokens = await client.tokenize(rendered.text, add_special=rendered.add_special, parse_special=True)
    return Prompt(rendered.text, add_special=False, tokens=tokens)
