"""Chat templates in Jinja, as model files carry them."""

from collections.abc import Mapping
from functools import cached_property
from itertools import takewhile
from typing import Final

import msgspec

from camelid.errors import CamelidError, ModelError, RequestError, UnsupportedCapabilityError
from camelid.prompts.budget import BudgetExceededError, render_budget
from camelid.prompts.conversation import Conversation
from camelid.prompts.jinja_environment import RefusedConversationError, compile_template
from camelid.prompts.plain_ids import with_plain_ids
from camelid.prompts.rendered import RenderedPrompt
from camelid.prompts.template import ChatTemplate
from camelid.types.capabilities import Capability
from camelid.types.json import JsonObject
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall

__all__ = ("JinjaTemplate",)

_OPEN, _CLOSE = "<think>", "</think>"
_MAX_WORDS = 500
"""Characters of a template's own words that a client hears."""
_PROBE: Final = "probe_tool"
"""Text that no template writes by itself."""


class JinjaTemplate(ChatTemplate):
    """A template in the dialect of Hugging Face's `apply_chat_template`."""

    language = "jinja"

    def __init__(self, source: str, bos_token: str = "", eos_token: str = "", *, with_thoughts: bool = False) -> None:
        """Compile.

        Args:
            source: Jinja.
            bos_token: text of the model's begin token; empty if it has none.
            eos_token: text of its end token.
            with_thoughts: hand it the thinking of earlier answers, as `reasoning_content` (contract 5.4).

        Raises:
            ModelError: the source is no valid template.
        """
        self._source = source
        self._bos_token = bos_token
        self._eos_token = eos_token
        self._with_thoughts = with_thoughts
        try:
            self._template = compile_template(source)
        except Exception as error:  # hostile source: Jinja, or Python's compiler below it, may raise anything
            raise _failure(error) from error

    @property
    def capabilities(self) -> frozenset[Capability]:
        """By the words in the source, as Ollama finds them."""
        found = set()
        if "tools" in self._source or "tool_call" in self._source:
            found.add(Capability.TOOLS)
        cuts_thinking = _splits_at_close(self._source) and "reasoning_content" not in self._source
        if (_OPEN in self._source and _CLOSE in self._source) or cuts_thinking:
            found.add(Capability.THINKING)
        return frozenset(found)

    @property
    def thinking_tags(self) -> tuple[str, str] | None:
        """The usual ones, if the source speaks of them."""
        thinks = _OPEN in self._source or Capability.THINKING in self.capabilities
        return (_OPEN, _CLOSE) if thinks else None

    @property
    def source(self) -> str:
        """The source as it was given."""
        return self._source

    @cached_property
    def tool_call_tag(self) -> str:
        """What the template writes before the JSON of a call: a conversation with one shows it."""
        call = ToolCall(FunctionCall(_PROBE, {_PROBE: _PROBE}))
        answers = (Message(role="assistant", tool_calls=(call,)), Message(role="assistant", content=_PROBE))
        try:
            calling, talking = (self.render(_probed(answer)).text for answer in answers)
        except CamelidError:
            return "{"
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(calling, talking, strict=False)))
        before, found, _ = calling[same:].partition(_PROBE)
        return before.partition("{")[0].strip() if found and before.partition("{")[0].strip() else "{"

    @property
    def tool_round_trip(self) -> bool:
        """Whether the source mentions earlier calls and the role of their results."""
        return "tool_calls" in self._source and any(role in self._source for role in ("'tool'", '"tool"'))

    def render(self, conversation: Conversation) -> RenderedPrompt:
        """The prompt, ending where the assistant's turn begins."""
        if conversation.suffix:
            raise UnsupportedCapabilityError(
                "this model does not support insert", reason="its template is Jinja, which has no form for a suffix"
            )
        try:
            text = self._generate(conversation)
        except RefusedConversationError as error:
            text = self._generate_with_plain_ids(conversation, error)
        return RenderedPrompt(text, add_special=not (self._bos_token and text.startswith(self._bos_token)))

    def _generate_with_plain_ids(self, conversation: Conversation, refusal: RefusedConversationError) -> str:
        """Try again with ids of nine digits: Mistral's templates take none but nine letters or digits."""
        messages = with_plain_ids(conversation.turns)
        try:
            if messages != conversation.turns:
                return self._generate(msgspec.structs.replace(conversation, messages=messages))
        except RefusedConversationError as error:
            refusal = error
        words = str(refusal)[:_MAX_WORDS] or "the model's chat template refuses this conversation"
        raise RequestError(words, reason="the chat template called raise_exception") from refusal

    def _generate(self, conversation: Conversation) -> str:
        pieces = []
        try:
            with render_budget() as budget:
                for piece in self._template.generate(self._variables(conversation)):
                    budget.step()
                    budget.spend(len(piece))
                    pieces.append(piece)
        except RefusedConversationError:
            raise
        except Exception as error:  # hostile templates may make Jinja, or Python below it, raise anything
            raise _failure(error) from error
        return "".join(pieces)

    def _variables(self, conversation: Conversation) -> JsonObject:
        called = {call.id: call.function.name for turn in conversation.turns for call in turn.tool_calls if call.id}
        variables: JsonObject = {
            "messages": [self._message(turn, called) for turn in conversation.turns],
            "tools": [_tool(tool) for tool in conversation.tools] or None,
            "documents": None,
            "add_generation_prompt": True,
            "bos_token": self._bos_token,
            "eos_token": self._eos_token,
        }
        if conversation.think is not None:
            # Two names are in use: Qwen's, and DeepSeek's.
            variables["enable_thinking"] = variables["thinking"] = conversation.thinks
        if isinstance(conversation.think, str):
            variables["reasoning_effort"] = conversation.think
        return variables

    def _message(self, message: Message, called: Mapping[str, str]) -> JsonObject:
        """A turn as templates know it: keys that hold nothing are left out, except the content.

        Args:
            message: the turn.
            called: names of functions by the ids of their calls, for results that only say whose they are.
        """
        view: JsonObject = {"role": message.role, "content": message.content}
        if message.thinking and self._with_thoughts:
            view["reasoning_content"] = message.thinking
        if message.tool_calls:
            view["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
        if name := message.tool_name or called.get(message.tool_call_id, ""):
            view["name"] = name
        if message.tool_call_id:
            view["tool_call_id"] = message.tool_call_id
        return view


def _probed(answer: Message) -> Conversation:
    return Conversation(messages=(Message(role="user", content="?"), answer), tools=(Tool(Function(_PROBE)),))


def _splits_at_close(source: str) -> bool:
    return any(f"split({quote}{_CLOSE}{quote}" in source for quote in "'\"")


def _failure(error: Exception) -> CamelidError:
    """What the client hears of an error inside Jinja."""
    if isinstance(error, (BudgetExceededError, RecursionError, MemoryError)):
        sentence = "the model's chat template computes or writes too much; give the model another TEMPLATE"
    else:
        sentence = f"the model's chat template is faulty: {str(error)[:_MAX_WORDS]}; give the model another TEMPLATE"
    return ModelError(sentence, reason=f"{type(error).__name__}: {str(error)[:_MAX_WORDS]}")


def _tool_call(call: ToolCall) -> JsonObject:
    function: JsonObject = {"name": call.function.name, "arguments": call.function.arguments}
    identity: JsonObject = {"id": call.id} if call.id else {}
    return {**identity, "type": "function", "function": function}


def _tool(tool: Tool) -> JsonObject:
    function: JsonObject = {"name": tool.function.name}
    if tool.function.description:
        function["description"] = tool.function.description
    function["parameters"] = tool.function.parameters or {"type": "object", "properties": {}}
    return {"type": tool.type, "function": function}
