"""Which parser reads a model's answers (contract 12.5 to 12.7)."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from camelid.prompts.output import OutputParser, Pipeline
from camelid.prompts.template import ChatTemplate
from camelid.prompts.thinking import ThinkingSplitter
from camelid.prompts.tool_calls.deepseek import DeepSeekParser
from camelid.prompts.tool_calls.function_gemma import FunctionGemmaParser, Gemma4Parser
from camelid.prompts.tool_calls.gemma import GemmaParser
from camelid.prompts.tool_calls.generic import GenericParser
from camelid.prompts.tool_calls.glm import GlmParser
from camelid.prompts.tool_calls.harmony import HarmonyParser
from camelid.prompts.tool_calls.hermes import HermesParser
from camelid.prompts.tool_calls.llama import LlamaParser
from camelid.prompts.tool_calls.mistral import MistralParser
from camelid.prompts.tool_calls.qwen_coder import QwenCoderParser
from camelid.types.messages import Tool

__all__ = ("FAMILIES", "Family", "choose_parser", "family_of")


class Family(msgspec.Struct, frozen=True):
    """A format in which models call tools, and how to know it."""

    build: Callable[[Sequence[Tool]], OutputParser]
    """Makes a parser for one answer, from the tools on offer."""
    markers: tuple[str, ...]
    """A template in which all of these occur is one of the family's."""
    names: tuple[str, ...] = ()
    """What a model's config calls its parser (contract 12.7)."""


FAMILIES: Final = (
    Family(DeepSeekParser, ("<｜tool▁call▁begin｜>",), ("deepseek3", "cogito")),  # noqa: RUF001 - DeepSeek's bars
    Family(MistralParser, ("[TOOL_CALLS]",), ("ministral",)),
    Family(FunctionGemmaParser, ("<start_function_call>",), ("functiongemma",)),
    Family(Gemma4Parser, ("<|tool_call>", "<tool_call|>"), ("gemma4", "gemma4-no-thinking")),
    Family(GemmaParser, ("```tool_code",)),
    Family(
        QwenCoderParser,
        ("<function=", "<parameter="),
        ("qwen3-coder", "qwen3.5", "ornith", "nemotron-3-nano", "nemotron-3.5-nano"),
    ),
    Family(GlmParser, ("<tool_call>", "<arg_key>"), ("glm-4.7", "glm-ocr", "laguna", "poolside-v1")),
    Family(
        HermesParser, ("<tool_call>",), ("qwen3", "qwen3-thinking", "qwen3-vl-instruct", "qwen3-vl-thinking", "qwen")
    ),
    Family(LlamaParser, ("<|python_tag|>",)),
    Family(LlamaParser, ("<|start_header_id|>", '"parameters"')),
)
"""All families; the first that fits is taken, so those that are known by more come first."""

_HARMONY = ("<|channel|>", "<|message|>")


def choose_parser(
    template: ChatTemplate, prompt: str, *, think: bool | str | None, tools: Sequence[Tool] = (), named: str = ""
) -> OutputParser | None:
    """What reads the answer to `prompt`; None if all of it is content.

    Args:
        template: made the prompt; its text tells the model's tags.
        prompt: may have begun the answer, for example by opening the thinking.
        think: whether the model was to think.
        tools: those on offer; without any, nothing is a call.
        named: what the model's config calls its parser; may be unknown, or empty.
    """
    source = template.source
    if named == "harmony" or all(marker in source for marker in _HARMONY):
        return HarmonyParser(tools, prompt)
    thinking = _thinking(template, prompt, think)
    if not tools:
        return thinking
    family = family_of(source, named)
    calls = family.build(tools) if family is not None else GenericParser(tools, template.tool_call_tag)
    return calls if thinking is None else Pipeline(thinking, calls)


def family_of(source: str, named: str = "", families: Sequence[Family] = FAMILIES) -> Family | None:
    """The family that a parser's name, or else a template's text, belongs to; None if it is not known."""
    by_name = (family for family in families if named and named in family.names)
    by_marker = (family for family in families if all(marker in source for marker in family.markers))
    return next(by_name, None) or next(by_marker, None)


def _thinking(template: ChatTemplate, prompt: str, think: bool | str | None) -> ThinkingSplitter | None:
    """What takes the thoughts out; None if the model shall not think, or its tags are unknown.

    A template that opens the thinking whatever it is told gets its tags taken out whatever the client wants.
    """
    tags = template.thinking_tags
    splitter = ThinkingSplitter.after(prompt, tags) if tags else None
    return splitter if splitter is not None and (think or splitter.starts_inside) else None
