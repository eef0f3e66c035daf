import pytest

from camelid.contracts.answers.parser import OutputParser
from camelid.prompts.go import GoTemplate
from camelid.prompts.jinja import JinjaTemplate
from camelid.prompts.tool_calls.choose import choose_format, choose_parser
from camelid.prompts.tool_calls.cohere import CohereParser
from camelid.prompts.tool_calls.deepseek import DeepSeekParser
from camelid.prompts.tool_calls.function_gemma import FunctionGemmaParser, Gemma4Parser
from camelid.prompts.tool_calls.gemma import GemmaParser
from camelid.prompts.tool_calls.generic import GenericParser
from camelid.prompts.tool_calls.glimmer import GlimmerParser
from camelid.prompts.tool_calls.glm import GlmParser
from camelid.prompts.tool_calls.harmony import HarmonyParser
from camelid.prompts.tool_calls.hermes import HermesParser
from camelid.prompts.tool_calls.lfm import LfmParser
from camelid.prompts.tool_calls.llama import LlamaParser
from camelid.prompts.tool_calls.mistral import MistralParser
from camelid.prompts.tool_calls.olmo import OlmoParser
from camelid.prompts.tool_calls.qwen_coder import QwenCoderParser
from camelid.types.messages import Function, Tool

TOOLS = (Tool(Function("now")),)
HERMES = "{{ range .Messages }}{{ .Content }}{{ if .ToolCalls }}<tool_call>{{ end }}{{ end }}{{ .Tools }}"
THINKING = "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}"


def pieces(parser: OutputParser | None, text: str) -> tuple[str, str, list[str]]:
    assert parser is not None
    found = parser.feed(text) + parser.finish()
    names = [call.function.name for each in found for call in each.calls]
    return "".join(each.thinking for each in found), "".join(each.content for each in found), names


@pytest.mark.parametrize(
    ("source", "parser"),
    [
        ("<tool_call>\n{{ tool_call | tojson }}\n</tool_call>", HermesParser),
        ("<tool_call>\n<function=...>\n<parameter=...>", QwenCoderParser),
        ("<tool_call>{{ name }}<arg_key>", GlmParser),
        ("[AVAILABLE_TOOLS] [TOOL_CALLS]", MistralParser),
        ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", DeepSeekParser),
        ("write ```tool_code", GemmaParser),
        ("<start_function_call>call:", FunctionGemmaParser),
        ("<|tool_call>call:x<tool_call|>", Gemma4Parser),
        ("<|start_header_id|>ipython<|python_tag|>", LlamaParser),
        ('<|start_header_id|>{"name": x, "parameters": y}', LlamaParser),
        ("<|im_start|>environment <function_calls>", OlmoParser),
        ("<|tool_call_start|>[", LfmParser),
        ("<|START_ACTION|>[", CohereParser),
        ("<|start|><|message|><atem:function_calls>", GlimmerParser),
        ("<|start|>assistant<|channel|>analysis<|message|>", HarmonyParser),
    ],
)
def test_a_template_tells_its_format(source, parser):
    found = choose_format(source)
    assert found is not None
    assert parser in (found.descriptor.calls, found.descriptor.whole)


def test_a_config_may_name_the_format():
    found = choose_format("[TOOL_CALLS]", "qwen3-coder")
    assert found is not None
    assert found.descriptor.calls is QwenCoderParser
    unknown = choose_format("[TOOL_CALLS]", "nobody's")
    assert unknown is not None
    assert unknown.descriptor.calls is MistralParser
    assert choose_format("") is None


def test_without_tools_and_thinking_there_is_nothing_to_read():
    assert choose_parser(GoTemplate(HERMES), "", think=None) is None
    assert choose_parser(GoTemplate(THINKING), "", think=False) is None


@pytest.mark.parametrize(
    ("source", "tag"),
    [
        (
            "{{ range .Messages }}{{ if .ToolCalls }}\n<tools>{{ range .ToolCalls }}{{ . }}{{ end }}{{ end }}{{ end }}",
            "<tools>",
        ),
        ('{{ range .Messages }}{{ if .Content }}x{{ else if .ToolCalls }}CALL [{"name"{{ end }}{{ end }}', "CALL ["),
        (
            '{{ range .Messages }}{{ if .ToolCalls }}\n{{ range .ToolCalls }}\n{"name": 1}{{ end }}{{ end }}{{ end }}',
            "{",
        ),
        ("{{ range .Messages }}{{ .Content }}{{ end }}", "{"),
    ],
)
def test_other_go_templates_tell_their_tag(source, tag):
    template = GoTemplate(source)
    assert template.tool_call_tag == tag
    parser = choose_parser(template, "", think=None, tools=TOOLS)
    assert isinstance(parser, GenericParser)
    assert parser.tags == (tag,)


def test_other_jinja_templates_write_json():
    parser = choose_parser(JinjaTemplate("{{ tools }}"), "", think=None, tools=TOOLS)
    assert pieces(parser, '{"name": "now", "arguments": {}}') == ("", "", ["now"])


def test_thinking_comes_before_calls():
    template = JinjaTemplate("<think></think>{{ tools }}<tool_call>")
    parser = choose_parser(template, "", think=True, tools=TOOLS)
    text = '<think>Ask: <tool_call></think>\n\n<tool_call>{"name": "now"}</tool_call>'
    assert pieces(parser, text) == ("Ask: <tool_call>", "", ["now"])
    assert parser is not None
    assert set(parser.markup) == {"<think>", "</think>", "<tool_call>", "</tool_call>"}


@pytest.mark.parametrize("think", [True, False, None])
def test_thinking_that_the_prompt_opened_is_split_off_whatever_was_asked(think):
    template = JinjaTemplate("<think></think>")
    assert pieces(choose_parser(template, "Q<think>\n", think=think), "a</think>b") == ("a", "b", [])


@pytest.mark.parametrize("tools", [(), TOOLS])
def test_harmony_is_always_read(tools):
    template = JinjaTemplate("<|start|>assistant<|channel|>final<|message|>")
    parser = choose_parser(template, "<|start|>assistant", think=False, tools=tools)
    assert isinstance(parser, HarmonyParser)
    assert pieces(parser, "<|channel|>analysis<|message|>a<|end|>") == ("a", "", [])
    assert isinstance(choose_parser(GoTemplate("x"), "", think=None, named="harmony"), HarmonyParser)
