from datetime import datetime

import pytest

from camelid.errors import ModelError, RequestError, UnsupportedCapabilityError
from camelid.prompts.conversation import Conversation
from camelid.prompts.jinja import JinjaTemplate
from camelid.types.capabilities import Capability
from camelid.types.messages import Message

CHAT = Conversation(
    messages=(
        Message(role="user", content=" Hello "),
        Message(role="assistant", content="Hi!"),
        Message(role="user", content="1 < 2?"),
    )
)

CHATML = """\
{% for message in messages %}
{% if loop.first and message['role'] != 'system' %}
<|im_start|>system
Help.<|im_end|>
{% endif %}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' -}}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

LLAMA3 = """\
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ message.content | trim ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""

MISTRAL = """\
{%- set ns = namespace(index=0) %}
{{- bos_token }}
{%- for message in messages %}
    {%- if (message.role == 'user') != (ns.index % 2 == 0) %}
        {{- raise_exception('roles must alternate user/assistant/user/...') }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
    {%- if message.role == 'user' %}{{ '[INST]' ~ message.content ~ '[/INST]' }}
    {%- else %}{{ message.content ~ eos_token }}{% endif %}
{%- endfor %}"""

GEMMA = """\
{{ bos_token }}{% for message in messages %}
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
<start_of_turn>{{ role }}
{{ message['content'].strip() }}<end_of_turn>
{% endfor %}
{% if add_generation_prompt %}
<start_of_turn>model
{% endif %}"""

QWEN3 = """\
{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- '<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages[::-1] if message.role == 'nobody' %}{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {{- '<tool_response>' + message.content + '</tool_response>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>assistant\\n' + content }}
        {%- for call in message.tool_calls or [] %}
            {%- set call = call.function or call %}
            {{- '<tool_call>' ~ call.name ~ ' ' ~ (call.arguments | tojson) ~ '</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif not (loop.first and tools) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"""


def render(source: str, conversation: Conversation = CHAT) -> str:
    return JinjaTemplate(source, "<s>", "</s>").render(conversation).text


def test_chatml():
    assert render(CHATML) == (
        "<|im_start|>system\nHelp.<|im_end|>\n"
        "<|im_start|>user\n Hello <|im_end|>\n"
        "<|im_start|>assistant\nHi!<|im_end|>\n"
        "<|im_start|>user\n1 < 2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_llama3():
    assert render(LLAMA3) == (
        "<s><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n1 < 2?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_mistral():
    assert render(MISTRAL) == "<s>[INST] Hello [/INST]Hi!</s>[INST]1 < 2?[/INST]"


def test_gemma():
    assert render(GEMMA) == (
        "<s><start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\nHi!<end_of_turn>\n"
        "<start_of_turn>user\n1 < 2?<end_of_turn>\n<start_of_turn>model\n"
    )


def test_qwen3_with_a_whole_round_trip(weather):
    assert render(QWEN3, weather(think=False)) == (
        "<|im_start|>system\nBe brief.\n\n<tools>\n"
        '{"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": '
        '{"type": "object", "properties": {"city": {"type": "string", "description": "Where?", "minLength": 2}, '
        '"days": {"type": ["integer", "null"], "enum": [1, 3]}}, "required": ["city"]}}}\n'
        "</tools><|im_end|>\n"
        "<|im_start|>user\nRain in Köln & <Bonn>?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>weather {"city": "Köln", "days": 1.0}</tool_call><|im_end|>\n'
        "<tool_response>none</tool_response>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_messages_have_only_the_keys_that_hold_something(weather):
    assert render("{% for message in messages %}{{ message.keys() | join(',') }} {% endfor %}", weather()) == (
        "role,content role,content role,content,tool_calls role,content,name,tool_call_id "
    )
    assert render("{{ messages[2].tool_calls | tojson }}", weather()) == (
        '[{"id": "call_1", "type": "function", "function": '
        '{"name": "weather", "arguments": {"city": "Köln", "days": 1.0}}}]'
    )


def test_without_tools_there_are_none():
    assert render("{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }}") == "True True True"


def test_a_tool_without_parameters_takes_no_arguments(weather):
    tool = weather().tools[0]
    tool.function.parameters = None
    tool.function.description = ""
    assert render("{{ tools[0].function | tojson }}", weather(tools=(tool,))) == (
        '{"name": "weather", "parameters": {"type": "object", "properties": {}}}'
    )


@pytest.mark.parametrize(
    ("think", "seen"), [(None, "- - -"), (True, "True True -"), (False, "False False -"), ("high", "True True high")]
)
def test_thinking_is_asked_for_by_the_names_that_are_in_use(think, seen):
    names = ("enable_thinking", "thinking", "reasoning_effort")
    source = " ".join(f"{{{{ {name} | default('-') }}}}" for name in names)
    assert render(source, Conversation(think=think)) == seen


def test_the_begin_token_is_never_doubled():
    assert not JinjaTemplate(LLAMA3, "<s>").render(CHAT).add_special
    assert JinjaTemplate(CHATML, "<s>").render(CHAT).add_special
    assert JinjaTemplate(LLAMA3, "").render(CHAT).add_special


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ {'a': '<é&\\'>', 'b': [1]} | tojson }}", '{"a": "<é&\'>", "b": [1]}'),
        ("{{ {'b': 1, 'a': 2} | tojson(indent=1, sort_keys=true) }}", '{\n "a": 2,\n "b": 1\n}'),
        ("{{ 'é' | tojson(ensure_ascii=true) }}", '"\\u00e9"'),
        ("{{ [1, 2] | tojson(separators=(',', ':')) }}", "[1,2]"),
        ("{% for n in [0, 1, 2] %}{% if n == 1 %}{% continue %}{% endif %}{{ n }}{% endfor %}", "02"),
        ("{% for n in [0, 1, 2] %}{% if n == 1 %}{% break %}{% endif %}{{ n }}{% endfor %}", "0"),
        ("{% generation %}{% set x = 1 %}{{ x }}{% endgeneration %}{{ x }}", "1"),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "3"),
        ("{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice('a') }}", "aa"),
        ("{% set x %}a{% if true %}b{% endif %}{% endset %}{{ x }}", "ab"),
        ("{{ nothing }}|{{ messages[0].nothing }}|{{ nothing is defined }}", "||False"),
        ("{{ '%s-%03d' % ('a', 7) }} {{ '{:>3}|{}'.format('a', 7) }} {{ '%s' | format('b') }}", "a-007   a|7 b"),
        ("{{ '-' * 3 ~ 2 ** 3 }} {{ [0] * 2 }}", "---8 [0, 0]"),
        ("{{ ', '.join(['a', 'b']) }} {{ ['a', 'b'] | join('+') }} {{ 'a b'.split() | list }}", "a, b a+b ['a', 'b']"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | last }}", "1 < 2?"),
        ("{{ messages | rejectattr('role', 'eq', 'user') | list | length }}", "1"),
        ("{{ 'a\nb' | indent(2) }} {{ ' a ' | trim }}", "a\n  b a"),
        ("{{ 'aXa' | replace('X', '<') }} {{ 'ab'.replace('a', '') }}", "a<a b"),
        ("{{ {'b': 1, 'a': 2} | dictsort }} {{ {'a': 1} | items | list }}", "[('a', 2), ('b', 1)] [('a', 1)]"),
        ("{{ dict(a=1) }} {{ dict({'b': 2}, c=3) }}", "{'a': 1} {'b': 2, 'c': 3}"),
        ("{{ [3, 1, 3] | unique | sort | join }} {{ [1, 2] | max }}", "13 2"),
        ("{{ 'abc' | reverse }} {{ 'abc'[::-1] }}", "cba cba"),
        ("{% for n in [2, 1] recursive %}{{ n }}{% if n == 2 %}{{ loop([1]) }}{% endif %}{% endfor %}", "211"),
    ],
)  # fmt: skip
def test_the_dialect(source, text):
    assert render(source) == text


def test_the_time_can_be_written():
    assert render("{{ strftime_now('%Y') }}") == str(datetime.now().astimezone().year)


def test_a_template_may_refuse():
    two_questions = Conversation(messages=(Message(role="user", content="a"), Message(role="user", content="b")))
    with pytest.raises(RequestError, match="roles must alternate") as refused:
        render(MISTRAL, two_questions)
    assert refused.value.status == 400


def test_a_refusal_is_short_and_never_empty():
    with pytest.raises(RequestError, match=r"^x{500}$"):
        render("{{ raise_exception('x' * 9999) }}")
    with pytest.raises(RequestError, match="refuses this conversation"):
        render("{{ raise_exception('') }}")


def test_there_is_no_place_for_a_suffix():
    with pytest.raises(UnsupportedCapabilityError, match="insert"):
        render(CHATML, Conversation(prompt="a", suffix="b"))


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ 'x' | no_such_filter }}",
        "{{ missing.field }}",
        "{{ 1 / 0 }}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='x') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ raise_exception.__globals__.x }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ " + "(" * 10_000 + ")" * 10_000 + " }}",
        "{% for a in [1] %}" * 21 + "{% endfor %}" * 21,
        "x" * 200_001,
    ],
)
def test_a_faulty_template_is_the_models_fault(source):
    with pytest.raises(ModelError, match="chat template") as failed:
        render(source)
    assert failed.value.status == 500
    assert failed.value.reason


@pytest.mark.parametrize(
    ("source", "capabilities", "tags", "round_trip"),
    [
        (CHATML, set(), None, False),
        (QWEN3, {Capability.TOOLS, Capability.THINKING}, ("<think>", "</think>"), True),
        ("{{ tools }}", {Capability.TOOLS}, None, False),
        ("{{ messages[0].content.split('</think>')[-1] }}", {Capability.THINKING}, ("<think>", "</think>"), False),
        ("{{ x.reasoning_content or y.split('</think>') }}", set(), None, False),
        ("{{ '<think>' }}", set(), ("<think>", "</think>"), False),
    ],
)
def test_what_a_template_knows(source, capabilities, tags, round_trip):
    template = JinjaTemplate(source)
    assert (template.capabilities, template.thinking_tags) == (capabilities, tags)
    assert template.tool_round_trip is round_trip


ANSWER = "{% for m in messages %}{{ '<|' ~ m.role ~ '|>' ~ m.content }}CALLS{% endfor %}<|assistant|>"


@pytest.mark.parametrize(
    ("calls", "tag"),
    [
        ("<tools>[{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}]</tools>", "<tools>["),
        ("<call>{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}", "<call>"),
        ("{% for c in m.tool_calls %}<|call|>{{ c.function.name }}{% endfor %}", "<|call|>"),
        ("{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}", "{"),
        ("{% for c in m.tool_calls %}[{{ c.function | tojson }}]{% endfor %}", "["),
        ("{% if m.tool_calls %}{{ raise_exception('no') }}{% endif %}", "{"),
        ("{% for x in range(999999999) %}{% endfor %}", "{"),
        ("", "{"),
    ],
)
def test_what_stands_before_calls_is_found_by_trying(calls, tag, small_budget):
    source = ANSWER.replace("CALLS", "{% if m.tool_calls %}" + calls + "{% endif %}")
    assert JinjaTemplate(source).tool_call_tag == tag
