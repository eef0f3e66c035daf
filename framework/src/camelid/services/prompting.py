"""From a conversation to a prompt that fits the model's context (contract 3.7)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from camelid.engine.client import WorkerClient
from camelid.prompts.rendered import RenderedPrompt
from camelid.services.conversation import kept_from, turn_starts
from camelid.services.pictures import PICTURE_TOKENS, Pictures
from camelid.types.messages import Message

__all__ = ("Prompt", "Render", "count_tokens", "fitting_prompt")

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
    before: tuple[int, ...] = ()
    """Tokens that stand in front of it: the conversation that an earlier answer ended with."""
    pictures: tuple[bytes, ...] = ()
    """Files, in the order of their places in the text."""
    marker: str = ""
    """Stands in the text for each picture."""

    @property
    def content(self) -> str | tuple[int, ...]:
        """The tokens if they are known, else the text."""
        return self.text if self.tokens is None else self.tokens

    @property
    def shown(self) -> str:
        """The text for people: `[img-0]`, `[img-1]`... where pictures belong (contract 4.4)."""
        if not self.pictures:
            return self.text
        first, *others = self.text.split(self.marker)
        return first + "".join(f"[img-{number}]{text}" for number, text in enumerate(others))


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
        CamelidError: the template cannot render the conversation, or leaves out a picture.
    """
    limit = client.ready.facts.context_length
    pictures = Pictures()
    marked = pictures.place(messages)

    async def prompt_of(kept: Sequence[Message]) -> Prompt:
        rendered = await asyncio.to_thread(render, kept)
        text, files = pictures.collect(rendered.text, kept)
        return Prompt(text, rendered.add_special, pictures=files, marker=pictures.marker if files else "")

    prompt = await prompt_of(marked)
    if not truncate or _surely_fits(prompt, limit):
        return prompt
    prompt, length = await _measured(client, prompt)
    starts = turn_starts(marked)
    low, high = 1, len(starts) - 1
    if length < limit or low > high:
        return prompt
    best: Prompt | None = None
    while low <= high:
        middle = (low + high) // 2
        prompt, length = await _measured(client, await prompt_of(kept_from(marked, starts[middle])))
        if length < limit:
            best, high = prompt, middle - 1
        else:
            low = middle + 1
    return best or prompt


def _surely_fits(prompt: Prompt, limit: int) -> bool:
    """Whether no tokenizer can make `limit` tokens of a prompt: a token stands for a byte at least.

    Normalisation may break that rule in rare scripts; then the worker cuts the prompt instead.
    """
    return not prompt.pictures and len(prompt.text.encode("utf-8", "replace")) + _SPECIAL_TOKENS < limit


async def count_tokens(client: WorkerClient, prompt: Prompt) -> int:
    """How many tokens a prompt has; pictures are estimated (contract 3.7)."""
    length = (await _measured(client, prompt))[1] if prompt.tokens is None else len(prompt.tokens)
    return len(prompt.before) + length


async def _measured(client: WorkerClient, prompt: Prompt) -> tuple[Prompt, int]:
    """The prompt, tokenized if it is all text, and how many tokens it has."""
    tokens = await client.tokenize(prompt.text, add_special=prompt.add_special, parse_special=True)
    if prompt.pictures:
        return prompt, len(tokens) + PICTURE_TOKENS * len(prompt.pictures)
    return Prompt(prompt.text, add_special=False, tokens=tokens), len(tokens)
