"""Answers of OpenAI's completions (contract 9.3)."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from statistics import fmean

import msgspec

from camelid.api.encoding import encode
from camelid.api.events import event
from camelid.api.ollama.generation import joined
from camelid.api.openai.generation import DONE, FINGERPRINT, Usage, answer_id, finish_reason, usage
from camelid.types.generation import Completion, GenerationChunk, TokenLogprob

__all__ = ("CompletionShape", "TextCompletion")


class TextLogprobs(msgspec.Struct):
    """All that is known of the tokens of an answer, or of a piece of it: lists of equal lengths."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]
    """Where each token begins, in characters of the answer."""


class TextChoice(msgspec.Struct):
    """One of the answers, or a piece of it."""

    text: str
    index: int
    logprobs: TextLogprobs | msgspec.UnsetType = msgspec.UNSET
    finish_reason: str | None = None


class TextCompletion(msgspec.Struct, kw_only=True):
    """All answers to a request, or an event of a stream."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[TextChoice]
    usage: Usage | msgspec.UnsetType = msgspec.UNSET


class CompletionShape:
    """Writes the answers to one request: `count` to each of its prompts."""

    def __init__(
        self, model: str, echoed: Sequence[str], *, count: int, include_usage: bool, logprobs: bool, best_of: int
    ) -> None:
        """Begin.

        Args:
            model: as the client calls it.
            echoed: what the answers to each prompt begin with.
            count: how many answers to each prompt are wanted.
            include_usage: a stream shall end with the counts of tokens.
            logprobs: the client wants log-probabilities; to choose the best answers they are made in any case.
            best_of: how many answers to each prompt are made.
        """
        self._model = model
        self._echoed = echoed
        self._count = count
        self._include_usage = include_usage
        self._logprobs = logprobs
        self._made = best_of
        self._id = answer_id("cmpl")
        self._created = int(time.time())
        self._lengths = [len(text) for text in echoed for _ in range(best_of)]
        self._echo_unsent = [bool(text) for text in echoed for _ in range(best_of)]

    async def events(self, chunks: AsyncGenerator[tuple[int, GenerationChunk], None]) -> AsyncGenerator[bytes, None]:
        """The events of a stream. Thinking is left out."""
        completions: list[tuple[int, Completion]] = []
        async with aclosing(chunks):
            async for place, chunk in chunks:
                if chunk.completion is not None:
                    completions.append((place // self._made, chunk.completion))
                if chunk.content or chunk.completion or chunk.logprobs:
                    yield event(encode(self._written([self._piece(place, chunk)], Usage())))
        if self._include_usage:
            yield event(encode(self._written([], usage(completions))))
        yield DONE

    def _piece(self, place: int, chunk: GenerationChunk) -> TextChoice:
        text = chunk.content
        if self._echo_unsent[place]:
            self._echo_unsent[place] = False
            text = self._echoed[place // self._made] + text
        choice = TextChoice(text, place, self._text_logprobs(chunk.logprobs, self._lengths[place]))
        self._lengths[place] += len(chunk.content)
        if chunk.completion is not None:
            choice.finish_reason = finish_reason(chunk.completion)
        return choice

    async def whole(self, chunks: AsyncGenerator[tuple[int, GenerationChunk], None]) -> TextCompletion:
        """All answers as one object, when they are complete; of those made, the best."""
        answers: list[list[GenerationChunk]] = [[] for _ in self._lengths]
        async with aclosing(chunks):
            async for place, chunk in chunks:
                answers[place].append(chunk)
        whole = [joined(answer) for answer in answers]
        choices: list[TextChoice] = []
        for prompt, echoed in enumerate(self._echoed):
            made = whole[prompt * self._made : (prompt + 1) * self._made]
            for answer in _best(made, self._count):
                choices.append(
                    TextChoice(
                        echoed + answer.content,
                        len(choices),
                        self._text_logprobs(answer.logprobs, len(echoed)),
                        finish_reason(answer.completion) if answer.completion is not None else None,
                    )
                )
        completions = [(place // self._made, each.completion) for place, each in enumerate(whole) if each.completion]
        written = self._written(choices)
        written.usage = usage(completions)
        return written

    def _written(self, choices: list[TextChoice], counts: Usage | None = None) -> TextCompletion:
        written = TextCompletion(id=self._id, created=self._created, model=self._model, choices=choices)
        if counts is not None and self._include_usage:
            written.usage = counts
        return written

    def _text_logprobs(self, entries: Sequence[TokenLogprob], offset: int) -> TextLogprobs | msgspec.UnsetType:
        """The log-probabilities of tokens that begin after `offset` characters."""
        if not (self._logprobs and entries):
            return msgspec.UNSET
        tokens = [entry.text.decode("utf-8", "replace") for entry in entries]
        offsets: list[int] = []
        for token in tokens:
            offsets.append(offset)
            offset += len(token)
        tops = [{other.text.decode("utf-8", "replace"): other.logprob for other in entry.top} for entry in entries]
        return TextLogprobs(tokens, [entry.logprob for entry in entries], tops if any(tops) else None, offsets)


def _best(answers: list[GenerationChunk], count: int) -> list[GenerationChunk]:
    """The answers whose tokens are most likely, on average."""
    if count == len(answers):
        return answers
    return sorted(answers, key=lambda answer: -fmean([entry.logprob for entry in answer.logprobs] or [0.0]))[:count]
