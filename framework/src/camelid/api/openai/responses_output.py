"""An answer as a response: its items, and the events of a stream in their order (contract 9.6)."""

import time
from collections.abc import Mapping
from itertools import count

import msgspec

from camelid.api.encoding import encode
from camelid.api.errors import error_status, error_text
from camelid.api.events import event
from camelid.api.openai.logprobs import LogprobEntry, SeenTokens, shown_logprobs
from camelid.api.openai.responses_items import (
    FunctionCallItem,
    IncompleteDetails,
    InputTokensDetails,
    MessageItem,
    OutputText,
    OutputTokensDetails,
    ReasoningItem,
    ResponseFailure,
    ResponseReply,
    ResponseUsage,
    SummaryText,
    new_id,
)
from camelid.types.generation import Completion, FinishReason, GenerationChunk
from camelid.types.messages import Message, ToolCall

__all__ = ("Answer",)


class Answer:
    """Collects the pieces of one answer. An item begins with its first piece, and ends where another begins."""

    def __init__(self, reply: ResponseReply, namespaces: Mapping[str, tuple[str, str]], *, stream: bool) -> None:
        """Begin.

        Args:
            reply: the response, still without output; it is filled in here.
            namespaces: of functions that were offered in one: namespace and own name, by the name the model knows.
            stream: write events.
        """
        self.reply = reply
        self._namespaces = namespaces
        self._stream = stream
        self._numbers = count()
        self._events: list[bytes] = []
        self._open: ReasoningItem | MessageItem | None = None
        self._text: list[str] = []
        self._logprobs: list[LogprobEntry] = []
        self._seen = SeenTokens()
        self._calls: list[ToolCall] = []
        self._begun = False

    def piece(self, chunk: GenerationChunk) -> None:
        """Take a piece of the answer, or its end."""
        self._begin()
        if chunk.thinking:
            self._think(chunk.thinking)
        logprobs = shown_logprobs(self._seen.of_piece(chunk))
        if chunk.content:
            self._say(chunk.content, logprobs)
        for call in chunk.tool_calls:
            self._call(call)
        if chunk.completion is not None:
            self._complete(chunk.completion)

    def fail(self, error: Exception) -> None:
        """End without an answer."""
        self._begin()
        self._finish("incomplete")
        code = "rate_limit_exceeded" if error_status(error) == 503 else "server_error"
        self.reply.error = ResponseFailure(code, error_text(error))
        self._end("failed")

    def cancel(self) -> None:
        """End because nobody wants the answer any more."""
        self._finish("incomplete")
        self.reply.status = "cancelled"

    def written(self) -> bytes:
        """The events since this was last asked."""
        events, self._events = self._events, []
        return b"".join(events)

    def message(self) -> Message:
        """The whole answer, for the conversation to go on."""
        items = self.reply.output
        return Message(
            role="assistant",
            content="".join(part.text for item in items if isinstance(item, MessageItem) for part in item.content),
            thinking="".join(item.encrypted_content or "" for item in items if isinstance(item, ReasoningItem)),
            tool_calls=tuple(self._calls),
        )

    def _emit(self, kind: str, **fields: object) -> None:
        """Write an event, at once: what is in it changes later."""
        if self._stream:
            data = encode({"type": kind, "sequence_number": next(self._numbers), **fields})
            self._events.append(event(data, kind))

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.reply.status = "in_progress"
            self._emit("response.created", response=self.reply)
            self._emit("response.in_progress", response=self.reply)

    @property
    def _place(self) -> int:
        """Of the item that is open, or is about to be."""
        return len(self.reply.output)

    def _think(self, text: str) -> None:
        if not isinstance(self._open, ReasoningItem):
            self._finish()
            self._open = ReasoningItem(new_id("rs"), ())
            self._emit("response.output_item.added", output_index=self._place, item=self._open)
            self._emit_summary("response.reasoning_summary_part.added", part=SummaryText(""))
        self._text.append(text)
        self._emit_summary("response.reasoning_summary_text.delta", delta=text)

    def _say(self, text: str, logprobs: tuple[LogprobEntry, ...]) -> None:
        if not isinstance(self._open, MessageItem):
            self._finish()
            self._open = MessageItem(id=new_id("msg"), status="in_progress")
            self._emit("response.output_item.added", output_index=self._place, item=self._open)
            self._emit_content("response.content_part.added", part=OutputText(""))
        self._text.append(text)
        self._logprobs += logprobs
        self._emit_content("response.output_text.delta", delta=text, logprobs=logprobs)

    def _call(self, call: ToolCall) -> None:
        self._finish()
        self._calls.append(call)
        namespace, name = self._namespaces.get(call.function.name, (msgspec.UNSET, call.function.name))
        item = FunctionCallItem(
            id=new_id("fc"), status="in_progress", call_id=call.id, name=name, arguments="", namespace=namespace
        )
        self._emit("response.output_item.added", output_index=self._place, item=item)
        item.status, item.arguments = "completed", msgspec.json.encode(call.function.arguments).decode()
        place = {"item_id": item.id, "output_index": self._place}
        self._emit("response.function_call_arguments.delta", **place, delta=item.arguments)
        self._emit("response.function_call_arguments.done", **place, name=name, arguments=item.arguments)
        self._emit("response.output_item.done", output_index=self._place, item=item)
        self.reply.output.append(item)

    def _emit_summary(self, kind: str, **fields: object) -> None:
        if self._open is not None:
            self._emit(kind, item_id=self._open.id, output_index=self._place, summary_index=0, **fields)

    def _emit_content(self, kind: str, **fields: object) -> None:
        if self._open is not None:
            self._emit(kind, item_id=self._open.id, output_index=self._place, content_index=0, **fields)

    def _finish(self, status: str = "completed") -> None:
        """End the item that is open."""
        item, text = self._open, "".join(self._text)
        if item is None:
            return
        if isinstance(item, ReasoningItem):
            item.summary, item.encrypted_content = (SummaryText(text),), text
            self._emit_summary("response.reasoning_summary_text.done", text=text)
            self._emit_summary("response.reasoning_summary_part.done", part=item.summary[0])
        else:
            part = OutputText(text, logprobs=tuple(self._logprobs))
            item.content, item.status = (part,), status
            self._emit_content("response.output_text.done", text=text, logprobs=part.logprobs)
            self._emit_content("response.content_part.done", part=part)
            self._logprobs = []
        self._emit("response.output_item.done", output_index=self._place, item=item)
        self.reply.output.append(item)
        self._open, self._text = None, []

    def _complete(self, completion: Completion) -> None:
        whole = completion.reason is not FinishReason.LENGTH
        self._finish("completed" if whole else "incomplete")
        self.reply.usage = _usage(completion)
        if not whole:
            self.reply.incomplete_details = IncompleteDetails("max_output_tokens")
        self._end("completed" if whole else "incomplete")

    def _end(self, status: str) -> None:
        self.reply.status = status
        if status == "completed":
            self.reply.completed_at = int(time.time())
        self._emit(f"response.{status}", response=self.reply)


def _usage(completion: Completion) -> ResponseUsage:
    timings = completion.timings
    return ResponseUsage(
        timings.prompt_tokens,
        timings.generated_tokens,
        timings.prompt_tokens + timings.generated_tokens,
        InputTokensDetails(timings.cached_tokens),
        OutputTokensDetails(),
    )
