"""Answers as Anthropic's clients read them: content blocks, whole or event by event (contract 10.3, 10.4)."""

from collections.abc import Iterable
from itertools import count
from secrets import token_hex
from typing import Final, TypeAlias

import msgspec

from camelid.api.encoding import encode, encode_text
from camelid.api.events import event
from camelid.services.chat import ChatRequest
from camelid.types.generation import Completion, FinishReason, GenerationChunk
from camelid.types.json import JsonObject
from camelid.types.messages import ToolCall

__all__ = ("PING", "MessageEvents", "MessageReply", "MessagesEvent", "Usage", "whole_message")

_SIGNATURE: Final = "camelid"
"""Of thoughts. It says nothing, but clients leave thoughts without one out of their next request."""

PING: Final = event(b'{"type":"ping"}', "ping")


class Usage(msgspec.Struct):
    """Tokens of prompt and answer; the prompt counts in full, whatever a cache held of it."""

    input_tokens: int
    output_tokens: int


class TextBlock(msgspec.Struct, tag_field="type", tag="text"):
    """Some text."""

    text: str


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    """Some thoughts."""

    thinking: str
    signature: str = _SIGNATURE


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use"):
    """A call of a tool."""

    id: str
    name: str
    input: JsonObject


Block: TypeAlias = TextBlock | ThinkingBlock | ToolUseBlock


class MessageReply(msgspec.Struct, kw_only=True):
    """The answer."""

    id: str
    type: str = "message"
    role: str = "assistant"
    model: str
    content: tuple[Block, ...] = ()
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage


class MessagesEvent(msgspec.Struct):
    """What all events of a stream have. The others' fields are those of Anthropic's events."""

    type: str


def _new_message(model: str, usage: Usage) -> MessageReply:
    return MessageReply(id=f"msg_{token_hex(12)}", model=model, usage=usage)


def _usage(completion: Completion) -> Usage:
    return Usage(completion.timings.prompt_tokens, completion.timings.generated_tokens)


def _stopped(completion: Completion, stops: Iterable[str], *, called: bool) -> tuple[str, str | None]:
    """Why an answer ended, and at which of the client's stop sequences."""
    if completion.reason is FinishReason.LENGTH:
        return "max_tokens", None
    if called:
        return "tool_use", None
    if completion.stop and completion.stop in stops:
        return "stop_sequence", completion.stop
    return "end_turn", None


def _tool_use(call: ToolCall) -> ToolUseBlock:
    return ToolUseBlock(call.id, call.function.name, call.function.arguments)


def whole_message(model: str, stops: Iterable[str], chunks: Iterable[GenerationChunk]) -> MessageReply:
    """An answer in one piece.

    Args:
        model: as the client called it.
        stops: the client's stop sequences.
        chunks: all of the answer.
    """
    content: list[Block] = []
    completion = Completion(FinishReason.STOP)
    for chunk in chunks:
        last = content[-1] if content else None
        if chunk.thinking:
            if isinstance(last, ThinkingBlock):
                last.thinking += chunk.thinking
            else:
                content.append(ThinkingBlock(chunk.thinking))
        if chunk.content:
            if isinstance(last, TextBlock):
                last.text += chunk.content
            else:
                content.append(TextBlock(chunk.content))
        content += map(_tool_use, chunk.tool_calls)
        completion = chunk.completion or completion
    called = any(isinstance(block, ToolUseBlock) for block in content)
    reply = _new_message(model, _usage(completion))
    reply.content = tuple(content)
    reply.stop_reason, reply.stop_sequence = _stopped(completion, stops, called=called)
    return reply


class MessageEvents:
    """Writes the events of one answer: a block begins with its first piece, and ends where another begins."""

    def __init__(self, request: ChatRequest, stops: Iterable[str]) -> None:
        """Begin.

        Args:
            request: what is answered.
            stops: the client's stop sequences.
        """
        self._request = request
        self._stops = stops
        self._places = count()
        self._place = 0
        self._open: type[Block] | None = None
        self._called = False

    def start(self) -> bytes:
        """What comes first. The tokens of the prompt are a guess until its end: Ollama's."""
        usage = Usage(_guessed_tokens(self._request), 0)
        return _event("message_start", message=_new_message(self._request.model, usage))

    def piece(self, chunk: GenerationChunk) -> bytes:
        """A piece of the answer, or its end."""
        events: list[bytes] = []
        if chunk.thinking:
            events += self._begin(ThinkingBlock, ThinkingBlock("", ""))
            events.append(self._delta(b'"thinking_delta","thinking":' + encode_text(chunk.thinking)))
        if chunk.content:
            events += self._begin(TextBlock, TextBlock(""))
            events.append(self._delta(b'"text_delta","text":' + encode_text(chunk.content)))
        for call in chunk.tool_calls:
            events += self._called_tool(_tool_use(call))
        if chunk.completion is not None:
            events += self._end(chunk.completion)
        return b"".join(events)

    def _begin(self, kind: type[Block], block: Block) -> list[bytes]:
        """Begin a block, unless one of its kind is open: calls are never continued."""
        if self._open is kind and kind is not ToolUseBlock:
            return []
        events = self._finish()
        self._open, self._place = kind, next(self._places)
        return [*events, _event("content_block_start", index=self._place, content_block=block)]

    def _delta(self, delta: bytes) -> bytes:
        data = b'{"type":"content_block_delta","index":%d,"delta":{"type":%b}}' % (self._place, delta)
        return event(data, "content_block_delta")

    def _called_tool(self, call: ToolUseBlock) -> list[bytes]:
        self._called = True
        arguments = encode_text(encode(call.input).decode())
        return [
            *self._begin(ToolUseBlock, ToolUseBlock(call.id, call.name, {})),
            self._delta(b'"input_json_delta","partial_json":' + arguments),
        ]

    def _finish(self) -> list[bytes]:
        """End the block that is open."""
        if self._open is None:
            return []
        signature = b'"signature_delta","signature":' + encode_text(_SIGNATURE)
        events = [self._delta(signature)] if self._open is ThinkingBlock else []
        self._open = None
        return [*events, _event("content_block_stop", index=self._place)]

    def _end(self, completion: Completion) -> list[bytes]:
        reason, stop = _stopped(completion, self._stops, called=self._called)
        delta = {"stop_reason": reason, "stop_sequence": stop}
        return [
            *self._finish(),
            _event("message_delta", delta=delta, usage=_usage(completion)),
            _event("message_stop"),
        ]


def _event(kind: str, **fields: object) -> bytes:
    return event(encode({"type": kind, **fields}), kind)


def _guessed_tokens(request: ChatRequest) -> int:
    """About as many tokens as the prompt may have: a quarter of its characters."""
    said = sum(len(message.content) + len(message.thinking) for message in request.messages)
    return max(1, (said + sum(len(encode(tool)) for tool in request.tools)) // 4)
