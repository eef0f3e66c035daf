"""The answer formats that Camelid knows by itself (contract 12.7)."""

from typing import Final

from camelid.contracts.answers.format import AnswerFormat, ThinkingTags
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.tool_calls.cohere import CohereParser
from camelid.prompts.tool_calls.deepseek import DeepSeekParser
from camelid.prompts.tool_calls.function_gemma import FunctionGemmaParser, Gemma4Parser
from camelid.prompts.tool_calls.gemma import GemmaParser
from camelid.prompts.tool_calls.glimmer import GlimmerParser
from camelid.prompts.tool_calls.glm import GlmParser
from camelid.prompts.tool_calls.harmony import HarmonyParser
from camelid.prompts.tool_calls.hermes import HermesParser
from camelid.prompts.tool_calls.lfm import LfmParser
from camelid.prompts.tool_calls.llama import LlamaParser
from camelid.prompts.tool_calls.mistral import MistralParser
from camelid.prompts.tool_calls.olmo import OlmoParser
from camelid.prompts.tool_calls.qwen_coder import QwenCoderParser
from camelid.types.capabilities import Capability

__all__ = ("BUILT_IN",)

_BOTH: Final = frozenset({Capability.TOOLS, Capability.THINKING})
_THINK: Final = ThinkingTags("<think>", "</think>")
_UNTIL: Final = ThinkingTags("<think>", "</think>", begun=True)
_CHANNEL: Final = ThinkingTags("<|channel>thought", "<channel|>")
_BRACKETS: Final = ThinkingTags("[THINK]", "[/THINK]")
_NOTHING: Final[frozenset[Capability]] = frozenset()

_BY_MARKERS: Final = (
    AnswerFormat(name="harmony", markers=("<|channel|>", "<|message|>"), whole=HarmonyParser, capabilities=_BOTH),
    AnswerFormat(name="glimmer", markers=("<atem:function_calls>",), whole=GlimmerParser, capabilities=_BOTH),
    AnswerFormat(name="cohere", markers=("<|START_ACTION|>",), whole=CohereParser, capabilities=_BOTH),
    AnswerFormat(name="deepseek", markers=("<｜tool▁call▁begin｜>",), calls=DeepSeekParser),  # noqa: RUF001 - its bars
    AnswerFormat(name="ministral", markers=("[TOOL_CALLS]",), calls=MistralParser, thinking=_BRACKETS),
    AnswerFormat(name="functiongemma", markers=("<start_function_call>",), calls=FunctionGemmaParser),
    AnswerFormat(
        name="gemma4",
        markers=("<|tool_call>", "<tool_call|>"),
        calls=Gemma4Parser,
        thinking=_CHANNEL,
        capabilities=_BOTH,
    ),
    AnswerFormat(name="gemma", markers=("```tool_code",), calls=GemmaParser),
    AnswerFormat(name="lfm2", markers=("<|tool_call_start|>",), calls=LfmParser),
    AnswerFormat(name="lfm2-list", markers=("<|tool_list_start|>",), calls=LfmParser),
    AnswerFormat(name="lfm2.5", markers=("List of tools: [", "<|im_start|>"), calls=LfmParser),
    AnswerFormat(name="olmo3", markers=("<function_calls>",), calls=OlmoParser),
    AnswerFormat(name="qwen3-coder", markers=("<function=", "<parameter="), calls=QwenCoderParser),
    AnswerFormat(name="glm-ocr", markers=("<tool_call>", "<arg_key>"), calls=GlmParser),
    AnswerFormat(name="qwen3", aliases=("qwen3-vl-instruct", "qwen"), markers=("<tool_call>",), calls=HermesParser),
    AnswerFormat(name="llama", markers=("<|python_tag|>",), calls=LlamaParser),
    AnswerFormat(name="llama3", markers=("<|start_header_id|>", '"parameters"'), calls=LlamaParser),
)
"""The first that fits is taken, so those that are known by more come first."""

_BY_NAME: Final = (
    AnswerFormat(name="deepseek3", aliases=("cogito",), calls=DeepSeekParser, thinking=_UNTIL, capabilities=_BOTH),
    AnswerFormat(name="gemma4-no-thinking", calls=Gemma4Parser),
    AnswerFormat(
        name="glm-4.7", aliases=("laguna", "poolside-v1"), calls=GlmParser, thinking=_THINK, capabilities=_BOTH
    ),
    AnswerFormat(name="lfm2-thinking", calls=LfmParser, thinking=_THINK, capabilities=_BOTH),
    AnswerFormat(
        name="nemotron-3-nano",
        aliases=("nemotron-3.5-nano",),
        calls=QwenCoderParser,
        thinking=_THINK,
        capabilities=_BOTH,
    ),
    AnswerFormat(name="olmo3-think", thinking=_UNTIL, capabilities=frozenset({Capability.THINKING})),
    AnswerFormat(name="passthrough", capabilities=_NOTHING),
    AnswerFormat(name="qwen3-thinking", calls=HermesParser, thinking=_THINK, capabilities=_BOTH),
    AnswerFormat(name="qwen3-vl-thinking", calls=HermesParser, thinking=_UNTIL, capabilities=_BOTH),
    AnswerFormat(name="qwen3.5", aliases=("ornith",), calls=QwenCoderParser, thinking=_UNTIL, capabilities=_BOTH),
)

BUILT_IN: Final = tuple(
    RegisteredAnswerFormat(known, plugin="", distribution="camelid") for known in (*_BY_MARKERS, *_BY_NAME)
)
"""All of them, in the order in which they are asked."""
