"""Answers of OpenAI's chat (contract 9.2)."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from camelid.api.encoding import encode, encode_text
from camelid.api.events import event
from camelid.api.ollama.generation import joined
from camelid.api.openai.generation import DONE, FINGERPRINT, Usage, answer_id, finish_reason, usage
from camelid.api.openai.logprobs import ChoiceLogprobs, choice_logprobs
from camelid.types.generation import Completion, GenerationChunk
from camelid.types.messages import ToolCall

__all__ = ("ChatCompletion", "ChatCompletionChunk", "ChatShape")

_CHUNK = "chat.completion.chunk"


class CalledFunction(msgspec.Struct):
    """The function of a call."""

    name: str
    arguments: str
    """JSON as text."""


class CalledTool(msgspec.Struct):
    """A tool call. A stream has each of them whole."""

    id: str
    index: int
    type: str
    function: CalledFunction


class AnswerMessage(msgspec.Struct, omit_defaults=True):
    """The answer. Its content is never null."""

    role: str
    content: str
    reasoning: str = ""
    tool_calls: tuple[CalledTool, ...] = ()


class ChatChoice(msgspec.Struct, omit_defaults=True):
    """One of the answers."""

    index: int
    message: AnswerMessage
    finish_reason: str
    logprobs: ChoiceLogprobs | None = None


class ChatCompletion(msgspec.Struct, kw_only=True):
    """All answers to a request."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[ChatChoice]
    usage: Usage


class Delta(msgspec.Struct, omit_defaults=True):
    """A piece of an answer."""

    role: str = ""
    content: str | msgspec.UnsetType = msgspec.UNSET
    reasoning: str = ""
    tool_calls: tuple[CalledTool, ...] = ()


class ChunkChoice(msgspec.Struct):
    """Which answer a piece belongs to. The last piece says why the answer ended, and nothing else."""

    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | msgspec.UnsetType = msgspec.UNSET


class ChatCompletionChunk(msgspec.Struct, kw_only=True):
    """An event of a stream."""

    id: str
    object: str = _CHUNK
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[ChunkChoice]
    usage: Usage | msgspec.UnsetType = msgspec.UNSET


class ChatShape:
    """Writes the answers to one request."""

    def __init__(self, model: str, choices: int, *, include_usage: bool) -> None:
        self._model = model
        self._include_usage = include_usage
        self._id = answer_id("chatcmpl")
        self._created = int(time.time())
        self._begun = [False] * choices
        self._called = [False] * choices
        self._completions: list[tuple[int, Completion]] = []
        empty = encode(self._chunk([]))
        self._head = b"data: " + empty[: empty.rindex(b"]")]

    async def events(self, chunks: AsyncGenerator[tuple[int, GenerationChunk], None]) -> AsyncGenerator[bytes, None]:
        """The events of a stream."""
        async with aclosing(chunks):
            async for place, chunk in chunks:
                yield self._pieces(place, chunk)
        if self._include_usage:
            yield event(encode(msgspec.structs.replace(self._chunk([]), usage=usage(self._completions))))
        yield DONE

    def _pieces(self, place: int, chunk: GenerationChunk) -> bytes:
        """The events for a chunk of one answer: thinking apart from all else, and the end apart from both."""
        if self._begun[place] and not (chunk.thinking or chunk.tool_calls or chunk.logprobs or chunk.completion):
            # Nearly every chunk: text and nothing else.
            return b'%b{"index":%d,"delta":{"content":%b},"finish_reason":null}]}\n\n' % (
                self._head,
                place,
                encode_text(chunk.content),
            )
        written = b""
        logprobs = choice_logprobs(chunk.logprobs) or msgspec.UNSET
        if chunk.thinking:
            written += self._piece(place, Delta(reasoning=chunk.thinking), logprobs)
            logprobs = msgspec.UNSET
        if chunk.content or chunk.tool_calls or logprobs or not self._begun[place]:
            self._called[place] |= bool(chunk.tool_calls)
            written += self._piece(place, Delta(content=chunk.content, tool_calls=_called(chunk.tool_calls)), logprobs)
        if chunk.completion is not None:
            self._completions.append((0, chunk.completion))
            reason = finish_reason(chunk.completion, called=self._called[place])
            written += event(encode(self._chunk([ChunkChoice(place, Delta(), reason)])))
        return written

    def _piece(self, place: int, delta: Delta, logprobs: ChoiceLogprobs | msgspec.UnsetType) -> bytes:
        if not self._begun[place]:
            self._begun[place] = True
            delta.role = "assistant"
        return event(encode(self._chunk([ChunkChoice(place, delta, logprobs=logprobs)])))

    def _chunk(self, choices: list[ChunkChoice]) -> ChatCompletionChunk:
        return ChatCompletionChunk(id=self._id, created=self._created, model=self._model, choices=choices)

    async def whole(self, chunks: AsyncGenerator[tuple[int, GenerationChunk], None]) -> ChatCompletion:
        """All answers as one object, when they are complete."""
        answers: list[list[GenerationChunk]] = [[] for _ in self._begun]
        async with aclosing(chunks):
            async for place, chunk in chunks:
                answers[place].append(chunk)
        whole = [joined(answer) for answer in answers]
        return ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[_choice(place, answer) for place, answer in enumerate(whole)],
            usage=usage([(0, answer.completion) for answer in whole if answer.completion is not None]),
        )


def _choice(place: int, answer: GenerationChunk) -> ChatChoice:
    calls = _called(answer.tool_calls)
    reason = finish_reason(answer.completion, called=bool(calls)) if answer.completion is not None else "stop"
    message = AnswerMessage("assistant", answer.content, answer.thinking, calls)
    return ChatChoice(place, message, reason, choice_logprobs(answer.logprobs))


def _called(calls: tuple[ToolCall, ...]) -> tuple[CalledTool, ...]:
    return tuple(
        CalledTool(
            call.id,
            call.function.index,
            "function",
            CalledFunction(call.function.name, msgspec.json.encode(call.function.arguments).decode()),
        )
        for call in calls
    )
