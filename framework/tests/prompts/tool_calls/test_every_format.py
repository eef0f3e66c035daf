"""One answer with everything in it, for each format that is built in: thoughts, text, two calls, one that is none."""

import pytest

from camelid.contracts.answers.parser import OutputParser
from camelid.prompts.jinja import JinjaTemplate
from camelid.prompts.tool_calls.choose import choose_parser
from camelid.prompts.tool_calls.cohere import CohereParser
from camelid.prompts.tool_calls.deepseek import DeepSeekParser
from camelid.prompts.tool_calls.formats import BUILT_IN
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
from camelid.types.messages import Function, Tool

TOOLS = (Tool(Function("find", parameters={"properties": {"n": {"type": "integer"}}})), Tool(Function("now")))
FOUND = [("find", {"n": 3}), ("now", {})]

CALLS = {
    DeepSeekParser: (
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>find<｜tool▁sep｜>{"n": 3}<｜tool▁call▁end｜>'
        "<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ),
    FunctionGemmaParser: (
        "<start_function_call>call:find{n:3}<end_function_call><start_function_call>call:now{}<end_function_call>"
    ),
    Gemma4Parser: "<|tool_call>call:find{n:3}<tool_call|><|tool_call>call:now{}<tool_call|>",
    GemmaParser: "```tool_code\nfind(n=3)\nnow()\n```",
    GlmParser: (
        "<tool_call>find\n<arg_key>n</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>"
    ),
    HermesParser: (
        '<tool_call>\n{"name": "find", "arguments": {"n": 3}}\n</tool_call>\n<tool_call>\n{"name": "now"}\n</tool_call>'
    ),
    LfmParser: "<|tool_call_start|>[find(n=3), now()]<|tool_call_end|>",
    LlamaParser: '<|python_tag|>{"name": "find", "parameters": {"n": 3}}; {"name": "now", "parameters": {}}',
    MistralParser: '[TOOL_CALLS]find[ARGS]{"n": 3}[TOOL_CALLS]now[ARGS]{}',
    OlmoParser: "<function_calls>find(n=3)\nnow()</function_calls>",
    QwenCoderParser: (
        "<tool_call>\n<function=find>\n<parameter=n>\n3\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=now>\n</function>\n</tool_call>"
    ),
}
WHOLE = {
    CohereParser: (
        '<|START_THINKING|>hm<|END_THINKING|>Look.<|START_ACTION|>[{"tool_name": "find", "parameters": {"n": 3}}, '
        '{"tool_name": "now", "parameters": {}}]<|END_ACTION|>'
    ),
    GlimmerParser: (
        " to=self<|message|>hm<|eom|><|start|>assistant to=user<|message|>Look.<|eom|><|start|>assistant to=find"
        '<|message|><atem:function_calls>\n<atem:invoke name="find">\n<atem:parameter name="n">3</atem:parameter>\n'
        '</atem:invoke>\n<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls><|eot|>'
    ),
    HarmonyParser: (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary<|message|>Look.<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.find <|constrain|>json<|message|>{"n": 3}<|call|>'
        "<|start|>assistant<|channel|>commentary to=functions.now<|message|>{}<|call|>"
    ),
}
"""By the class that reads them."""

NAMES = [name for known in BUILT_IN for name in (known.name, *known.descriptor.aliases)]
DESCRIPTORS = {name: known.descriptor for known in BUILT_IN for name in (known.name, *known.descriptor.aliases)}
CALLING = [name for name in NAMES if DESCRIPTORS[name].calls is not None]
TALKING = [name for name in NAMES if DESCRIPTORS[name].whole is not None]
PROMPT = "<|start|>user<|message|>Q<|end|><|eot|><|start|>assistant"


def parser_of(name: str, *, tools=TOOLS, prompt: str = PROMPT) -> OutputParser | None:
    return choose_parser(JinjaTemplate("<think></think>"), prompt, think=True, tools=tools, named=name)


def read(parser: OutputParser | None, text: str) -> tuple[str, str, list[tuple[str, dict[str, object]]]]:
    assert parser is not None
    found = [each for character in text for each in parser.feed(character)] + parser.finish()
    calls = [call.function for each in found for call in each.calls]
    assert [call.index for call in calls] == list(range(len(calls)))
    return (
        "".join(each.thinking for each in found),
        "".join(each.content for each in found),
        [(call.name, call.arguments) for call in calls],
    )


def tags_of(name: str) -> tuple[str, str]:
    tags = DESCRIPTORS[name].thinking
    return ("<think>", "</think>") if tags is None else (tags.open, tags.close)


def test_names_are_unique():
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", CALLING)
def test_thoughts_text_and_two_calls(name):
    opened, closed = tags_of(name)
    answer = f"{opened}hm{closed}Look.{CALLS[DESCRIPTORS[name].calls]}"
    assert read(parser_of(name), answer) == ("hm", "Look.", FOUND)


@pytest.mark.parametrize("name", CALLING)
def test_thoughts_that_the_prompt_opened(name):
    opened, closed = tags_of(name)
    answer = f"hm{closed}Look.{CALLS[DESCRIPTORS[name].calls]}"
    assert read(parser_of(name, prompt=f"{PROMPT}{opened}\n"), answer) == ("hm", "Look.", FOUND)


@pytest.mark.parametrize("name", CALLING)
def test_a_call_of_no_tool_is_text(name):
    opened, closed = tags_of(name)
    calls = CALLS[DESCRIPTORS[name].calls].replace("find", "fly").replace("now", "nap")
    assert read(parser_of(name), f"{opened}hm{closed}Look.{calls}") == ("hm", f"Look.{calls}", [])


@pytest.mark.parametrize("name", CALLING)
def test_a_call_that_does_not_end_is_text(name):
    opened, closed = tags_of(name)
    calls = CALLS[DESCRIPTORS[name].calls]
    cut = calls[: calls.index("find") + len("find")]
    assert read(parser_of(name), f"{opened}{closed}Look.{cut}") == ("", f"Look.{cut}", [])


@pytest.mark.parametrize("name", CALLING)
def test_an_answer_in_a_format_may_think_first(name):
    opened, closed = tags_of(name)
    parser = parser_of(name, tools=(), prompt=f"{PROMPT}{opened}")
    assert parser is not None
    assert parser.thoughts == ("", closed)
    assert read(parser, f'hm{closed}\n{{"a": 1}}') == ("hm", '{"a": 1}', [])


def test_who_shall_not_think_answers_in_the_format_at_once():
    quiet = choose_parser(JinjaTemplate(""), PROMPT, think=False, named="qwen3.5")
    assert quiet is not None
    assert quiet.thoughts is None
    begun = choose_parser(JinjaTemplate(""), f"{PROMPT}<think>", think=False, named="qwen3.5")
    assert begun is not None
    assert begun.thoughts == ("", "</think>")


@pytest.mark.parametrize("name", TALKING)
def test_formats_that_mark_everything(name):
    assert read(parser_of(name), WHOLE[DESCRIPTORS[name].whole]) == ("hm", "Look.", FOUND)


@pytest.mark.parametrize("name", TALKING)
def test_formats_that_mark_everything_without_tools(name):
    thinking, content, calls = read(parser_of(name, tools=()), WHOLE[DESCRIPTORS[name].whole])
    assert (thinking, calls) == ("hm", [])
    assert content.startswith("Look.")
    assert "3" in content


@pytest.mark.parametrize("name", TALKING)
def test_thoughts_before_an_answer_in_a_format_are_told_by_their_tags(name):
    parser = parser_of(name, tools=())
    assert parser is not None
    assert parser.thoughts is not None
    opened, closed = parser.thoughts
    assert read(parser, f'{opened}hm{closed}{{"a": 1}}') == ("hm", '{"a": 1}', [])


@pytest.mark.parametrize("name", ["qwen3.5", "ornith", "qwen3-vl-thinking", "deepseek3", "cogito", "olmo3-think"])
def test_some_think_until_they_close(name):
    assert read(parser_of(name, tools=()), "hm</think>\n\nLook.") == ("hm", "Look.", [])
    quiet = choose_parser(JinjaTemplate(""), PROMPT, think=False, named=name)
    assert read(quiet, "Look.") == ("", "Look.", [])


def test_olmo_that_thinks_calls_nothing():
    text = "hm</think>" + CALLS[OlmoParser]
    assert read(parser_of("olmo3-think"), text) == ("hm", CALLS[OlmoParser], [])


def test_passthrough_reads_nothing():
    assert parser_of("passthrough") is None


def test_an_unknown_name_is_no_name():
    assert read(parser_of("nobody's"), '<think>hm</think>{"name": "now", "arguments": {}}') == ("hm", "", FOUND[1:])
