"""The template that stands for a renderer's name."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

__all__ = ("RENDERERS", "renderer_source")

_OPENS: Final = "<think>\n"
_GEMMA_4: Final = {
    "turn": "<|turn>",
    "turn_end": "<turn|>",
    "system_role": "system",
    "thinking_switch": "<|think|>",
    "declare": "<|tool>",
    "declared": "<tool|>",
    "call": "<|tool_call>",
    "call_end": "<tool_call|>",
    "result": "<|tool_response>",
    "result_end": "<tool_response|>",
    "quote": '<|"|>',
    "closes": "",
}
_FUNCTION_GEMMA: Final = {
    "turn": "<start_of_turn>",
    "turn_end": "<end_of_turn>",
    "system_role": "developer",
    "thinking_switch": "",
    "declare": "<start_function_declaration>",
    "declared": "<end_function_declaration>",
    "call": "<start_function_call>",
    "call_end": "<end_function_call>",
    "result": "<start_function_response>",
    "result_end": "<end_function_response>",
    "quote": "<escape>",
    "closes": "",
}
_JSON: Final = {"elements": "", "opens": "", "closes": ""}
_ELEMENTS: Final = {**_JSON, "elements": "yes"}
_QWEN: Final = {**_ELEMENTS, "opens": _OPENS, "closes": "<think>\n\n</think>\n\n"}
_NEMOTRON: Final = {**_ELEMENTS, "opens": _OPENS, "closes": "<think></think>"}
_THINKING_OLMO: Final = {"opens": "<think>"}

RENDERERS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = MappingProxyType(
    {
        "cogito": ("deepseek", {}),
        "cohere": ("cohere", {}),
        "deepseek3.1": ("deepseek", {}),
        "functiongemma": ("gemma", _FUNCTION_GEMMA),
        "gemma4": ("gemma", _GEMMA_4),
        "gemma4-large": ("gemma", {**_GEMMA_4, "closes": "<|channel>thought\n<channel|>"}),
        "gemma4-small": ("gemma", _GEMMA_4),
        "glimmer": ("glimmer", {}),
        "glm-4.7": ("glm", {"opens": "<think>", "closes": "</think>"}),
        "glm-ocr": ("glm", {"opens": "", "closes": ""}),
        "laguna": ("laguna", {"gap": "\n"}),
        "lfm2": ("lfm", {}),
        "lfm2-thinking": ("lfm", {}),
        "nemotron-3-nano": ("chatml", _NEMOTRON),
        "nemotron-3.5-nano": ("chatml", _NEMOTRON),
        "olmo3": ("olmo", {"opens": ""}),
        "olmo3-32b-think": ("olmo", _THINKING_OLMO),
        "olmo3-think": ("olmo", _THINKING_OLMO),
        "olmo3.1": ("olmo", {"opens": ""}),
        "ornith": ("chatml", _QWEN),
        "poolside-v1": ("laguna", {"gap": ""}),
        "qwen3-coder": ("chatml", _ELEMENTS),
        "qwen3-vl-instruct": ("chatml", _JSON),
        "qwen3-vl-thinking": ("chatml", {**_JSON, "opens": _OPENS, "closes": _OPENS}),
        "qwen3.5": ("chatml", _QWEN),
        "qwen3.8": ("chatml", _QWEN),
    }
)
"""By name: the file, and what is set before it begins."""


@lru_cache(maxsize=len(RENDERERS))
def renderer_source(name: str) -> str | None:
    """The Jinja source of a renderer; None if it is not known."""
    if name not in RENDERERS:
        return None
    file, settings = RENDERERS[name]
    # JSON's strings are Jinja's, too.
    head = "".join(f"{{%- set {key} = {json.dumps(value)} -%}}" for key, value in settings.items())
    return head + files("camelid.prompts.renderers").joinpath(f"{file}.jinja").read_text(encoding="utf-8")
