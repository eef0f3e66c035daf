"""What a response is made of: the object itself and its output items (contract 9.6)."""

import time
from secrets import token_hex
from typing import TypeAlias

import msgspec

from camelid.api.openai.logprobs import LogprobEntry
from camelid.types.json import JsonValue

__all__ = (
    "FunctionCallItem",
    "IncompleteDetails",
    "InputTokensDetails",
    "MessageItem",
    "OutputItem",
    "OutputText",
    "OutputTokensDetails",
    "ReasoningEcho",
    "ReasoningItem",
    "ResponseFailure",
    "ResponseReply",
    "ResponseUsage",
    "SummaryText",
    "new_id",
)


def new_id(kind: str) -> str:
    """A name for a response or an item of one."""
    return f"{kind}_{token_hex(24)}"


class SummaryText(msgspec.Struct, tag_field="type", tag="summary_text"):
    """Thoughts: all of them, whatever the name says."""

    text: str


class ReasoningItem(msgspec.Struct, tag_field="type", tag="reasoning", omit_defaults=True):
    """What the model thought."""

    id: str
    summary: tuple[SummaryText, ...]
    encrypted_content: str | None = None
    """The same in plain text, for the next request."""


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    """Some text."""

    text: str
    annotations: tuple[JsonValue, ...] = ()
    logprobs: tuple[LogprobEntry, ...] = ()


class MessageItem(msgspec.Struct, tag_field="type", tag="message", kw_only=True):
    """What the model says."""

    id: str
    status: str
    role: str = "assistant"
    content: tuple[OutputText, ...] = ()


class FunctionCallItem(msgspec.Struct, tag_field="type", tag="function_call", kw_only=True):
    """A call of a function."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    """JSON as text."""
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    """Of the function, if it was offered in one."""


OutputItem: TypeAlias = ReasoningItem | MessageItem | FunctionCallItem


class InputTokensDetails(msgspec.Struct):
    """Of the prompt's tokens."""

    cached_tokens: int
    """Those that did not have to be computed."""
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct):
    """Of the answer's tokens."""

    reasoning_tokens: int = 0
    """Not counted."""


class ResponseUsage(msgspec.Struct):
    """Counts of tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens_details: OutputTokensDetails


class IncompleteDetails(msgspec.Struct):
    """Why an answer is not whole."""

    reason: str


class ResponseFailure(msgspec.Struct):
    """Why there is no answer."""

    code: str
    message: str


class ReasoningEcho(msgspec.Struct):
    """How hard the client wanted the model to think."""

    effort: str | None
    summary: str | None


class ResponseReply(msgspec.Struct, kw_only=True):
    """A response, finished or not. All keys are always there: clients rely on that."""

    id: str = msgspec.field(default_factory=lambda: new_id("resp"))
    object: str = "response"
    created_at: int = msgspec.field(default_factory=lambda: int(time.time()))
    completed_at: int | None = None
    status: str = "in_progress"
    """`queued`, `in_progress`, `completed`, `incomplete`, `failed` or `cancelled`."""
    incomplete_details: IncompleteDetails | None = None
    model: str
    previous_response_id: str | None = None
    instructions: JsonValue = None
    output: list[OutputItem] = []
    error: ResponseFailure | None = None
    tools: list[JsonValue] = []
    tool_choice: JsonValue = "auto"
    truncation: str = "disabled"
    parallel_tool_calls: bool = True
    text: JsonValue = None
    top_p: float = 1.0
    presence_penalty: float = 0
    frequency_penalty: float = 0
    top_logprobs: int = 0
    temperature: float = 1.0
    reasoning: ReasoningEcho | None = None
    usage: ResponseUsage | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    store: bool = True
    background: bool = False
    service_tier: str = "default"
    metadata: JsonValue = {}
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
