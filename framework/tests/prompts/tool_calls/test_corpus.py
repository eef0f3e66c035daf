"""What models of each family write, and what is read from it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.contracts.answers.parser import OutputParser, Parsed
from camelid.contracts.answers.tool_calls import ToolCallParser
from camelid.prompts.tool_calls.cohere import CohereParser
from camelid.prompts.tool_calls.deepseek import DeepSeekParser
from camelid.prompts.tool_calls.formats import BUILT_IN
from camelid.prompts.tool_calls.function_gemma import FunctionGemmaParser, Gemma4Parser
from camelid.prompts.tool_calls.gemma import GemmaParser
from camelid.prompts.tool_calls.generic import GenericParser
from camelid.prompts.tool_calls.glimmer import GlimmerParser
from camelid.prompts.tool_calls.glm import GlmParser
from camelid.prompts.tool_calls.hermes import HermesParser
from camelid.prompts.tool_calls.lfm import LfmParser
from camelid.prompts.tool_calls.llama import LlamaParser
from camelid.prompts.tool_calls.mistral import MistralParser
from camelid.prompts.tool_calls.olmo import OlmoParser
from camelid.prompts.tool_calls.qwen_coder import QwenCoderParser
from camelid.types.messages import Function, Tool

SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "limit": {"type": "integer"},
        "exact": {"type": "boolean"},
        "fields": {"type": "array"},
        "since": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
}
TOOLS = (Tool(Function("now")), Tool(Function("search", parameters=SEARCH)), Tool(Function("search_all")))


def angled(tools):
    return GenericParser(tools, "<tools>")


def braced(tools):
    return GenericParser(tools, "{")


def bracketed(tools):
    return GenericParser(tools, "[")


def glimmer(tools):
    return GlimmerParser(tools, "<|start|>user<|message|>Q<|eot|><|start|>assistant")


LLAMA_TAG = "<|python_tag|>"
NOW = ("now", {})
LAMP = ("search", {"query": "lamp"})
OIL = ("search", {"query": "oil", "limit": 2})

CORPUS = [
    # Hermes
    (HermesParser, '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>', "", [NOW]),
    (HermesParser, '<tool_call>{"name": "now"}</tool_call>', "", [NOW]),
    (
        HermesParser,
        (
            'I look.\n<tool_call>\n{"name": "search", "arguments": {"query": "lamp"}}\n</tool_call>\n'
            '<tool_call>\n{"name": "search", "arguments": {"query": "oil", "limit": 2}}\n</tool_call>\n'
        ),
        "I look.\n",
        [LAMP, OIL],
    ),
    (HermesParser, '<tool_call>{"name": "now"}</tool_call>\nPlease wait. ', "\nPlease wait. ", [NOW]),
    (HermesParser, '<tool_call>\n{"name": "now"}\n{"name": "search", "arguments": {"query": "lamp"}}', "", [NOW, LAMP]),
    (HermesParser, '<tool_call>[{"name": "now"}, {"name": "later"}]</tool_call>', '{"name": "later"}', [NOW]),
    (HermesParser, '<tool_call>{"name": "now"} and so on', " and so on", [NOW]),
    (HermesParser, '<tool_call>{"name": "now"}{"x": 1}</tool_call>', '{"x": 1}', [NOW]),
    (HermesParser, '<tool_call>{"name": "now"} ', "", [NOW]),
    (
        HermesParser,
        '<tool_call>{"name": "search", "arguments": "{\\"query\\": \\"a</tool_call>}\\"}"}</tool_call>',
        "",
        [("search", {"query": "a</tool_call>}"})],
    ),
    (
        HermesParser,
        '<tool_call>{"name": "search", "arguments": {"query": "two\nlines", "since": 1.5}}</tool_call>',
        "",
        [("search", {"query": "two\nlines", "since": 1.5})],
    ),
    (HermesParser, '<tool_call>{"name": "later"}</tool_call> Hm', '<tool_call>{"name": "later"}</tool_call> Hm', []),
    (HermesParser, "<tool_call>{now}</tool_call>", "<tool_call>{now}</tool_call>", []),
    (HermesParser, "<tool_call>{'name': 'now'}</tool_call>!", "<tool_call>{'name': 'now'}</tool_call>!", []),
    (HermesParser, '<tool_call>{"name": "now", "arg', '<tool_call>{"name": "now", "arg', []),
    (HermesParser, "a < b <tool", "a < b <tool", []),
    (HermesParser, " \n a", " \n a", []),
    (HermesParser, " \n", " \n", []),
    (HermesParser, '<tool_call>{"name": "now", "arguments": [1]}</tool_call>', None, []),
    (HermesParser, '<tool_call>{"name": "search", "arguments": {"query": "\\ud800"}}</tool_call>', None, []),
    (HermesParser, "<tool_call>" + "[" * 5000, None, []),
    (HermesParser, '<tool_call>{"name": "now", "arguments": ' + '{"a":' * 2000 + "1" + "}" * 2001, None, []),
    # Qwen Coder
    (
        QwenCoderParser,
        "Looking.\n\n<tool_call>\n<function=search>\n<parameter=query>\nlamp\n</parameter>\n</function>\n</tool_call>",
        "Looking.\n\n",
        [LAMP],
    ),
    (
        QwenCoderParser,
        (
            "<tool_call>\n<function=search>\n<parameter=query>\n12\n</parameter>\n<parameter=limit>\n12\n</parameter>\n"
            '<parameter=exact>\nTrue\n</parameter>\n<parameter=fields>\n["a", 1]\n</parameter>\n'
            "<parameter=since>\nnull\n</parameter>\n<parameter=other>\n7\n</parameter>\n</function>\n</tool_call>"
        ),
        "",
        [("search", {"query": "12", "limit": 12, "exact": True, "fields": ["a", 1], "since": None, "other": "7"})],
    ),
    (QwenCoderParser, "<function=now>\n</function>\n</tool_call>", "", [NOW]),
    (QwenCoderParser, "<tool_call><function=now></tool_call>Wait", "Wait", [NOW]),
    (QwenCoderParser, "<tool_call><function=now></function><function=now></function></tool_call>", "", [NOW, NOW]),
    (
        QwenCoderParser,
        "<function=search><parameter=query>\n  indented\n\nif a < b:\n</parameter></function>",
        "",
        [("search", {"query": "  indented\n\nif a < b:"})],
    ),
    (
        QwenCoderParser,
        "<function=search><parameter=limit>many</parameter></function>",
        "",
        [("search", {"limit": "many"})],
    ),
    (QwenCoderParser, "<tool_call>\n<function=later>\n</function>\n</tool_call>\n", None, []),
    (QwenCoderParser, "<tool_call>\n<function=search>\n<parameter=query>\nla", None, []),
    (QwenCoderParser, "<tool_call>hm</tool_call>", None, []),
    # Llama
    (LlamaParser, '{"name": "search", "parameters": {"query": "lamp"}}', "", [LAMP]),
    (LlamaParser, '\n\n{"type": "function", "name": "now", "parameters": {}}', "", [NOW]),
    (
        LlamaParser,
        '{"name": "now", "parameters": {}}; {"name": "search", "parameters": {"query": "lamp"}}',
        "",
        [NOW, LAMP],
    ),
    (LlamaParser, '{"function": "search", "parameters": {"query": "lamp"}}\n{"name": "now"};', "", [LAMP, NOW]),
    (LlamaParser, '{"type": "function", "function": {"name": "now", "parameters": null}}', "", [NOW]),
    (LlamaParser, f'Sure. {LLAMA_TAG}{{"name": "now", "parameters": {{}}}}', "Sure. ", [NOW]),
    (LlamaParser, f'{LLAMA_TAG}{{"name": "now"}}{LLAMA_TAG}{{"name": "now"}}', "", [NOW, NOW]),
    (LlamaParser, f'{LLAMA_TAG}search.call(query="lamp")', "", [LAMP]),
    (LlamaParser, f"{LLAMA_TAG}print(2 + 2)", None, []),
    (LlamaParser, '{"name": "now"} That is all.', " That is all.", [NOW]),
    (LlamaParser, '{"answer": 42}', None, []),
    (LlamaParser, ' {"answer": 42} {"name": "now"}', None, []),
    (LlamaParser, 'It is {"name": "now"}', None, []),
    (LlamaParser, '{"name": "now"}; {"name": "later"}', '; {"name": "later"}', [NOW]),
    (LlamaParser, '{"name": "now", "parameters": {', None, []),
    # Mistral
    (MistralParser, '[TOOL_CALLS] [{"name": "search", "arguments": {"query": "lamp"}}]', "", [LAMP]),
    (
        MistralParser,
        '[TOOL_CALLS][{"name": "now", "arguments": {}}, {"name": "search", "arguments": {"query": "oil", "limit": 2}}]',
        "",
        [NOW, OIL],
    ),
    (MistralParser, '[TOOL_CALLS]search[ARGS]{"query": "lamp"}[TOOL_CALLS]now[ARGS]{}', "", [LAMP, NOW]),
    (MistralParser, 'Yes.[TOOL_CALLS]search[CALL_ID]a1b2c3d4e[ARGS]{"query": "lamp"}', "Yes.", [LAMP]),
    (MistralParser, '[TOOL_CALLS]search{"query": "lamp"} done', " done", [LAMP]),
    (MistralParser, '[TOOL_CALLS] {"name": "now"}', "", [NOW]),
    (MistralParser, "[TOOL_CALLS]later[ARGS]{}", None, []),
    (MistralParser, "[TOOL_CALLS] nothing\nto do", None, []),
    (MistralParser, '[TOOL_CALLS]search[ARGS]{"query": "la', None, []),
    (MistralParser, "[TOOL", None, []),
    # Gemma
    (GemmaParser, "```tool_code\nsearch(query='lamp')\n```", "", [LAMP]),
    (GemmaParser, 'So:\n```tool_code\nprint(search("oil", limit=2))\n```\nThen?', "So:\n\nThen?", [OIL]),
    (GemmaParser, "```tool_code\nx = now()\nsearch('lamp')\n```", "", [NOW, LAMP]),
    (GemmaParser, "```tool_code\n[now(), tools.search(query='lamp')]", "", [NOW, LAMP]),
    (GemmaParser, "```tool_code\nsearch(query=input())\n```", None, []),
    (GemmaParser, "```tool_code\nfor x in y: now()\n```", None, []),
    (GemmaParser, "```tool_code\nnow(); later()\n```", None, []),
    (GemmaParser, "```tool_code\nnow(1)\n```", None, []),
    (GemmaParser, "```tool_code\nsearch(query=b'x')\n```", "", [("search", {"query": "eA=="})]),
    (GemmaParser, "```tool_code\nsearch(query=1j)\n```", None, []),
    (GemmaParser, "```tool_code\nnow(**{})\n```", None, []),
    (GemmaParser, "```tool_code\n" + "(" * 200 + "\n```", None, []),
    (GemmaParser, "```tool_code\nnow(\n```", None, []),
    (GemmaParser, "```python\nnow()\n```", None, []),
    # FunctionGemma and Gemma 4
    (
        FunctionGemmaParser,
        "<start_function_call>call:search{query:<escape>lamp<escape>}<end_function_call>",
        "",
        [LAMP],
    ),
    (
        FunctionGemmaParser,
        (
            "<start_function_call>call:search{fields:[<escape>a: {b}<escape>,{deep:true}],limit:3}<end_function_call>"
            "<start_function_call>call:now{}<end_function_call><start_function_response>"
        ),
        "",
        [("search", {"fields": ["a: {b}", {"deep": True}], "limit": 3}), NOW],
    ),
    (FunctionGemmaParser, "<start_function_call>call:search{query:lamp}<end_function_call>", None, []),
    (FunctionGemmaParser, "<start_function_call>call:search{query:<escape>lamp}<end_function_call>", None, []),
    (FunctionGemmaParser, "<start_function_call>now()<end_function_call>", None, []),
    (FunctionGemmaParser, "<start_function_call>call:now{}", "", [NOW]),
    (Gemma4Parser, '<|tool_call>call:search{query:<|"|>lamp<|"|>}<tool_call|>Wait', "Wait", [LAMP]),
    # DeepSeek
    (
        DeepSeekParser,
        (
            "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n"
            '```json\n{"query": "lamp"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n'
            "```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        "I look.",
        [LAMP, NOW],
    ),
    (
        DeepSeekParser,
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>"
            '{"query": "oil", "limit": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜> Well.'
        ),
        " Well.",
        [OIL],
    ),
    (DeepSeekParser, "<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜>", "", [NOW]),
    (
        DeepSeekParser,
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
            "<｜tool▁call▁begin｜>later<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        "<｜tool▁call▁begin｜>later<｜tool▁sep｜>{}<｜tool▁call▁end｜>",
        [NOW],
    ),
    (DeepSeekParser, "<｜tool▁call▁begin｜>later<｜tool▁sep｜>{}<｜tool▁call▁end｜> Well.", None, []),
    (DeepSeekParser, '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>{"query', None, []),
    (DeepSeekParser, "<｜tool▁calls▁begin｜>hm", None, []),
    # GLM
    (
        GlmParser,
        (
            "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>oil</arg_value>\n<arg_key>limit</arg_key>"
            "<arg_value>2</arg_value>\n</tool_call>"
        ),
        "",
        [OIL],
    ),
    (GlmParser, "<tool_call>now</tool_call><tool_call>now\n</tool_call>", "", [NOW, NOW]),
    (GlmParser, "<tool_call>later</tool_call>", None, []),
    (GlmParser, "<tool_call>now", None, []),
    # OLMo
    (OlmoParser, '<function_calls>\nsearch(query="lamp")\nnow()\n</function_calls>', "", [LAMP, NOW]),
    (
        OlmoParser,
        'I look.\n<function_calls>search(query="from = x", exact=true, since=null, fields=[false])</function_calls>',
        "I look.\n",
        [("search", {"query": "from = x", "exact": True, "since": None, "fields": [False]})],
    ),
    (OlmoParser, '<function_calls>now(from="Oslo", class = 2)', "", [("now", {"from": "Oslo", "class": 2})]),
    (OlmoParser, "<function_calls>later()</function_calls> Hm", None, []),
    (OlmoParser, "<function_calls>now(true)</function_calls>", None, []),
    (OlmoParser, '<function_calls>search(query="la', None, []),
    # LFM
    (LfmParser, '<|tool_call_start|>[search(query="lamp"), now()]<|tool_call_end|>Wait', "Wait", [LAMP, NOW]),
    (LfmParser, '<|tool_call_start|>[{"name": "now", "arguments": {}}]<|tool_call_end|>', "", [NOW]),
    (LfmParser, "<|tool_call_start|>[now()]<|tool_call_end|>\n<|tool_call_start|>[now()]", "", [NOW, NOW]),
    (LfmParser, "<|tool_call_start|>[now(), later()]<|tool_call_end|>", None, []),
    (LfmParser, "<|tool_call_start|>[]<|tool_call_end|>", None, []),
    # Cohere
    (
        CohereParser,
        (
            '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "search", "parameters": {"query": "lamp"}},\n'
            '    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>'
        ),
        "",
        [LAMP, NOW],
    ),
    (CohereParser, "<|START_TEXT|>Hi.<|END_TEXT|>", "Hi.", []),
    (
        CohereParser,
        '<|START_RESPONSE|>So: <|END_RESPONSE|>\n<|START_ACTION|>{"tool_name": "now"}<|END_ACTION|>',
        "So: ",
        [NOW],
    ),
    (CohereParser, '<|START_ACTION|>[{"tool_name": "later"}]<|END_ACTION|> Hm', None, []),
    (CohereParser, '<|START_ACTION|>[{"tool_name": "now"', None, []),
    # Glimmer
    (
        glimmer,
        (
            " to=search<|message|><atem:function_calls>\n"
            '<atem:invoke name="search">\n<atem:parameter name="query">oil</atem:parameter>\n'
            '<atem:parameter name="limit">2</atem:parameter>\n</atem:invoke>\n'
            '<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls><|eom|>'
        ),
        "",
        [OIL, NOW],
    ),
    (glimmer, " to=user<|message|>Four.<|eot|>", "Four.", []),
    (glimmer, "Four.", "Four.", []),
    (
        glimmer,
        (
            '<|start|>assistant to=user<|message|>Hm <atem:function_calls>\n<atem:invoke name="later"></atem:invoke>'
            "\n</atem:function_calls> so<|eom|>"
        ),
        'Hm <atem:function_calls>\n<atem:invoke name="later"></atem:invoke>\n</atem:function_calls> so',
        [],
    ),
    (
        glimmer,
        '<|message|><atem:function_calls><atem:invoke name="now"></atem:invoke> now',
        '<atem:function_calls><atem:invoke name="now"></atem:invoke> now',
        [],
    ),
    (glimmer, '<|message|><atem:function_calls><atem:invoke name="now"></atem:invoke><|eot|>', "", [NOW]),
    # By the template alone
    (angled, 'Hm <tools>[{"name": "search", "arguments": {"query": "lamp"}}]</tools>', "Hm ", [LAMP]),
    (angled, '<tools>search_all {"query": "lamp"}', "", [("search_all", {"query": "lamp"})]),
    (angled, '<tools>{"search": {"query": "lamp"}}</tools> Done.', "</tools> Done.", [LAMP]),
    (angled, '<tools>now: {} and {"x": 1}', ' and {"x": 1}', [NOW]),
    (angled, '<tools>{"name": "now"}', None, []),
    (angled, '<tools>{"call": {"name": "search", "parameters": "{\\"query\\": \\"lamp\\"}"}}', "", [LAMP]),
    (angled, '<tools>now {"a', None, []),
    (angled, "no tools here < tools>", None, []),
    (braced, '  {"name": "search", "parameters": {"query": "lamp"}}', "", [LAMP]),
    (braced, '{"name": "now", "arguments": {}}, {"name": "search", "arguments": {"query": "lamp"}}', "", [NOW, LAMP]),
    (braced, 'See {"name": "now", "arguments": {}}', None, []),
    (braced, '{"name": "later", "arguments": {}}', None, []),
    (bracketed, '[{"name": "now", "arguments": {}}]', "", [NOW]),
    (bracketed, "[1, 2]", None, []),
]
"""Parser, output, content (None: all of it), calls."""


def read(parser: OutputParser, pieces: list[str]) -> list[Parsed]:
    """Everything that is found, neighbouring texts joined, calls without their random ids."""
    joined: list[Parsed] = []
    for found in [each for piece in pieces for each in parser.feed(piece)] + parser.finish():
        if found.calls:
            assert len(found.calls) == 1
            call = found.calls[0]
            assert call.id.removeprefix("call_").isalnum()
            assert len(call.id) == len("call_") + 8
            joined.append(Parsed(calls=(type(call)(call.function),)))
        elif joined and not joined[-1].calls and bool(joined[-1].thinking) == bool(found.thinking):
            last = joined.pop()
            joined.append(Parsed(last.thinking + found.thinking, last.content + found.content))
        else:
            joined.append(found)
    return joined


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(("family", "text", "content", "calls"), CORPUS)
def test_what_is_read(family, text, content, calls):
    found = read(family(TOOLS), [text])
    assert "".join(each.content for each in found) == (text if content is None else content)
    functions = [call.function for each in found for call in each.calls]
    assert [(function.name, function.arguments) for function in functions] == calls
    assert [function.index for function in functions] == list(range(len(calls)))


@settings(deadline=None, max_examples=300)
@given(case=st.sampled_from([case[:2] for case in CORPUS]), places=st.lists(st.integers(0, 10_000), max_size=12))
def test_where_the_stream_is_cut_does_not_matter(case, places):
    family, text = case
    assert read(family(TOOLS), cut(text, places)) == read(family(TOOLS), [text])


@pytest.mark.parametrize(("family", "text"), [case[:2] for case in CORPUS if len(case[1]) < 1000])
def test_one_character_at_a_time(family, text):
    assert read(family(TOOLS), list(text)) == read(family(TOOLS), [text])


PARSERS = (
    *dict.fromkeys(known.descriptor.calls for known in BUILT_IN if known.descriptor.calls),
    *(known.descriptor.whole for known in BUILT_IN if known.descriptor.whole),
)

_PIECES = sorted(
    {
        *(tag for parser in PARSERS for tag in (*parser.markup, *getattr(parser, "tags", ()))),
        *("<", "[", "{", "}", "]", '"', " ", "\n", "a", "now", "{}", '{"name": "now"}', "to=", "call:", "()", "```"),
    }
)


@settings(deadline=None, max_examples=400)
@given(
    family=st.sampled_from([*PARSERS, angled, braced, bracketed]),
    text=st.lists(st.sampled_from(_PIECES), max_size=14).map("".join),
    places=st.lists(st.integers(0, 400), max_size=8),
)
def test_nonsense_is_read_the_same_however_it_is_cut(family, text, places):
    whole = read(family(TOOLS), [text])
    assert read(family(TOOLS), cut(text, places)) == whole
    assert read(family(TOOLS), list(text)) == whole


NOTHING_BUT_CALLS = [parser for parser in PARSERS if issubclass(parser, ToolCallParser) and parser is not CohereParser]


@settings(deadline=None, max_examples=600)
@given(family=st.sampled_from([*NOTHING_BUT_CALLS, angled, braced, glimmer]), data=st.data())
def test_what_is_no_call_is_text(family, data):
    parser = family(())
    own = (*parser.markup, *parser.tags) if isinstance(parser, ToolCallParser) else ("<atem:function_calls>",)
    pieces = st.sampled_from([*own, " ", "\n", "a", "now", '{"name": "now"}', "()", "```"])
    text = data.draw(st.lists(pieces, max_size=10).map("".join))
    if family is glimmer:
        text = "to=user<|message|>" + text
    expected = text.removeprefix("to=user<|message|>")
    assert read(parser, [text]) == ([Parsed(content=expected)] if expected else [])


@settings(deadline=None, max_examples=200)
@given(text=st.lists(st.sampled_from([*CohereParser.markup, "a", "{", "[]", '"', "b c"]), max_size=14).map("".join))
def test_cohere_drops_nothing_but_tags_and_space(text):
    def bare(text):
        return re.sub(r"<\|[A-Z_]+\|>|\s", "", text)

    found = read(CohereParser(()), [text])
    assert bare("".join(each.thinking + each.content for each in found)) == bare(text)


def test_text_is_passed_on_at_once_and_a_call_as_soon_as_it_is_complete():
    parser = HermesParser(TOOLS)
    assert parser.feed("Let me") == [Parsed(content="Let me")]
    assert parser.feed(" see <to") == [Parsed(content=" see ")]
    assert parser.feed('ol_call>{"name": "n') == []
    (found,) = parser.feed('ow"}')
    assert found.calls[0].function.name == "now"
    assert parser.feed("</tool_") == []
    assert parser.feed("call>\n") == []
    assert parser.feed("So.") == [Parsed(content="\nSo.")]
    assert parser.finish() == []


def test_ids_differ():
    found = HermesParser(TOOLS).feed('<tool_call>{"name": "now"}{"name": "now"}</tool_call>')
    first, second = (each.calls[0] for each in found)
    assert first.id != second.id
