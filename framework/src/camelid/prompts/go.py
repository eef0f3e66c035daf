"""Chat templates in Go's template language: Ollama's TEMPLATE."""

from functools import cached_property
from typing import Final

from gotpl import BudgetExceededError as GoBudgetExceededError
from gotpl import ExecutionBudget, SandboxPolicy, Template

from camelid.errors import CamelidError, ModelError, UnsupportedCapabilityError
from camelid.prompts.budget import MAX_CHARACTERS, MAX_SOURCE, MAX_STEPS, BudgetExceededError, render_budget
from camelid.prompts.conversation import Conversation
from camelid.prompts.go_functions import FUNCTIONS
from camelid.prompts.go_source import GoSource
from camelid.prompts.go_values import collate, message_values, tool_values
from camelid.prompts.rendered import RenderedPrompt
from camelid.prompts.template import ChatTemplate
from camelid.types.capabilities import Capability
from camelid.types.json import JsonObject
from camelid.types.messages import Message

__all__ = ("GoTemplate",)

_MAX_ACCOUNTED: Final = 16 * MAX_SOURCE
"""Characters of a template with the calls that report what it does."""
_LIMITS: Final = ExecutionBudget(
    max_output_chars=MAX_CHARACTERS,
    max_iterations=MAX_STEPS,
    max_template_depth=100,
    max_function_calls=MAX_STEPS,
)
_SANDBOX: Final = SandboxPolicy(
    allow_functions=FUNCTIONS, allow_custom_lookup=True, max_template_chars=_MAX_ACCOUNTED, default_budget=_LIMITS
)
"""Strings and lists have no methods in Go: without this they would have Python's, of which `format` reads anything."""


class GoTemplate(ChatTemplate):
    """A Go template, executed in one of three forms (contract 12.2)."""

    language = "go"

    def __init__(self, source: str) -> None:
        """Parse.

        Raises:
            ModelError: with Go's words for what is wrong with the source.
        """
        if len(source) > MAX_SOURCE:
            raise ModelError(f"the TEMPLATE is longer than {MAX_SOURCE:,} characters: give the model a shorter one")
        try:
            self._source = GoSource(source, FUNCTIONS)
            self._template = _compiled(self._source)
        except Exception as error:  # hostile source: the parser may run into any limit of Python
            raise ModelError(str(error), reason=f"TEMPLATE: {type(error).__name__}") from error
        self._identifiers = self._source.identifiers

    @cached_property
    def capabilities(self) -> frozenset[Capability]:
        """By the fields that the template names."""
        found = {
            Capability.TOOLS: "tools" in self._identifiers,
            Capability.INSERT: "suffix" in self._identifiers,
            Capability.THINKING: self.thinking_tags is not None,
        }
        return frozenset(capability for capability, known in found.items() if known)

    @cached_property
    def thinking_tags(self) -> tuple[str, str] | None:
        """The texts around `.Thinking`."""
        return self._source.thinking_tags

    @property
    def source(self) -> str:
        """The source, with `{{ .Response }}` if that had to be added."""
        return self._source.text

    @cached_property
    def tool_call_tag(self) -> str:
        """What the template writes before calls."""
        return self._source.tool_call_tag

    @cached_property
    def tool_round_trip(self) -> bool:
        """Whether it prints `.ToolCalls` and knows the role `tool`, or prints whatever role there is."""
        knows_results = "tool" in self._source.strings or "toolname" in self._identifiers
        return "toolcalls" in self._identifiers and knows_results

    def render(self, conversation: Conversation) -> RenderedPrompt:
        """The prompt, ending where the answer begins."""
        think: JsonObject = {
            "Think": conversation.thinks,
            "ThinkLevel": conversation.think_level,
            "IsThinkSet": conversation.think is not None,
        }
        try:
            with render_budget():
                return RenderedPrompt(self._execute(conversation, think))
        except CamelidError:
            raise
        except Exception as error:  # hostile templates may make gotpl, or Python below it, raise anything
            raise _failure(error) from error

    def _execute(self, conversation: Conversation, think: JsonObject) -> str:
        if conversation.prompt and conversation.suffix:
            if Capability.INSERT not in self.capabilities:
                raise UnsupportedCapabilityError(
                    "this model does not support insert", reason="its TEMPLATE has no .Suffix"
                )
            gap: JsonObject = {"Prompt": conversation.prompt, "Suffix": conversation.suffix, "Response": ""}
            return self._template.render(gap | think)
        messages = collate(conversation.turns)
        if "messages" not in self._identifiers:
            return self._execute_turns(messages, think)
        system = "\n\n".join(turn.content for turn in conversation.turns if turn.role == "system")
        tools = tool_values(conversation.tools)
        chat: JsonObject = {"System": system, "Messages": message_values(messages), "Tools": tools, "Response": ""}
        return self._template.render(chat | think)

    def _execute_turns(self, messages: list[Message], think: JsonObject) -> str:
        """The form from before `.Messages`: once for each turn, the last time cut where the answer stands."""
        text = ""
        turn = {"System": "", "Prompt": "", "Response": ""}
        for message in messages:
            begun = turn["Response"] or (message.role == "system" and turn["Prompt"])
            if begun and message.role in {"system", "user"}:
                text += self._template.render({**turn, **think})
                turn = {"System": "", "Prompt": "", "Response": ""}
            field = {"system": "System", "user": "Prompt", "assistant": "Response"}.get(message.role)
            if field is not None:
                turn[field] = message.content
        return text + self._last_turn.render({**turn, **think})

    @cached_property
    def _last_turn(self) -> Template:
        return _compiled(self._source.until_response())


def _compiled(source: GoSource) -> Template:
    return Template(source.accounted(), functions=FUNCTIONS, missing_key="zero", budget=_LIMITS, sandbox=_SANDBOX)


def _failure(error: Exception) -> ModelError:
    """What the client hears of an error while a template runs."""
    limits = (BudgetExceededError, GoBudgetExceededError, RecursionError, MemoryError)
    if isinstance(error, limits) or isinstance(error.__cause__, limits):
        sentence = "the model's TEMPLATE computes or writes too much; give the model another one"
    else:
        sentence = f"the model's TEMPLATE is faulty: {error}; give the model another one"
    return ModelError(sentence, reason=f"{type(error).__name__}: {error}")
