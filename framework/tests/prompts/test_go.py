from datetime import datetime, timedelta

import pytest

from camelid.errors import ModelError, UnsupportedCapabilityError
from camelid.prompts.conversation import Conversation
from camelid.prompts.go import GoTemplate
from camelid.prompts.rendered import RenderedPrompt
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall

CHATML = """\
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""

CHATML_BEFORE_MESSAGES = """\
{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}{{ if .Prompt }}<|im_start|>user
{{ .Prompt }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ .Response }}<|im_end|>
"""

LLAMA3 = """\
{{- if or .System .Tools }}<|start_header_id|>system<|end_header_id|>

{{ .System }}{{ if .Tools }}
Functions:{{ range .Tools }}
{{ . }}{{ end }}{{ end }}<|eot_id|>
{{- end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|start_header_id|>user<|end_header_id|>

{{ .Content }}<|eot_id|>
{{- else if eq .Role "assistant" }}<|start_header_id|>assistant<|end_header_id|>
{{- if .ToolCalls }}
{{ range .ToolCalls }}
{"name": "{{ .Function.Name }}", "parameters": {{ .Function.Arguments }}}{{ end }}
{{- else }}

{{ .Content }}
{{- end }}{{ if not $last }}<|eot_id|>{{ end }}
{{- else if eq .Role "tool" }}<|start_header_id|>ipython<|end_header_id|>

{{ .Content }}<|eot_id|>
{{- end }}
{{- if and $last (ne .Role "assistant") }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- end }}"""

MISTRAL = """\
{{- range $index, $_ := .Messages }}
{{- if eq .Role "user" }}
{{- if and (eq (len (slice $.Messages $index)) 1) $.Tools }}[TOOLS] {{ json $.Tools }}[/TOOLS]{{ end -}}
[INST] {{ if and (eq $index 1) $.System }}{{ $.System }}

{{ end }}{{ .Content }}[/INST]
{{- else if eq .Role "assistant" }} {{ .Content }}</s>{{ end }}
{{- end }}"""

QWEN3 = """\
{{- range $i, $_ := .Messages }}
{{- if eq .Role "assistant" }}<|im_start|>assistant
{{ if and $.IsThinkSet .Thinking -}}
<think>
{{ .Thinking }}
</think>
{{ end -}}
{{ .Content }}<|im_end|>
{{ else }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}{{ end }}<|im_start|>assistant
{{ if and $.IsThinkSet (not $.Think) -}}
<think>

</think>

{{ end -}}"""

FIM = "{{ if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>{{ else }}{{ .Prompt }}{{ end }}"

CHAT = Conversation(
    messages=(
        Message(role="system", content="Help."),
        Message(role="user", content="Hello"),
        Message(role="assistant", content="Hi!"),
        Message(role="user", content="1 < 2?"),
    )
)
CHAT_AS_CHATML = (
    "<|im_start|>system\nHelp.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\n1 < 2?<|im_end|>\n<|im_start|>assistant\n"
)


def render(source: str, conversation: Conversation = CHAT) -> str:
    return GoTemplate(source).render(conversation).text


@pytest.mark.parametrize("source", [CHATML, CHATML_BEFORE_MESSAGES])
def test_chatml_in_the_new_form_and_the_old(source):
    assert GoTemplate(source).render(CHAT) == RenderedPrompt(CHAT_AS_CHATML, add_special=True)


def test_llama3_with_a_whole_round_trip(weather):
    assert render(LLAMA3, weather()) == (
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.\nFunctions:\n"
        '{"type":"function","function":{"name":"weather","description":"Tells the weather.","parameters":'
        '{"type":"object","required":["city"],"properties":{"city":{"type":"string","description":"Where?"},'
        '"days":{"type":["integer","null"],"enum":[1,3]}}}}}<|eot_id|>'
        "<|start_header_id|>user<|end_header_id|>\n\nRain in Köln & <Bonn>?<|eot_id|>"
        '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "weather", "parameters": {"city":"Köln","days":1}}'
        "<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\nnone<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_an_assistants_last_message_is_continued():
    messages = (*CHAT.messages, Message(role="assistant", content="Yes, be"))
    assert render(LLAMA3, Conversation(messages=messages)).endswith("assistant<|end_header_id|>\n\nYes, be")
    assert render(CHATML_BEFORE_MESSAGES, Conversation(messages=messages)).endswith("assistant\nYes, be")


def test_mistral_puts_tools_before_the_last_question(weather):
    tool = Tool(function=Function("f", "<b>"))
    assert render(MISTRAL, weather(messages=CHAT.messages, tools=(tool,))) == (
        "[INST] Help.\n\nHello[/INST] Hi!</s>"
        '[TOOLS] [{"type":"function","function":{"name":"f","description":"\\u003cb\\u003e","parameters":'
        '{"type":"","properties":null}}}][/TOOLS][INST] 1 < 2?[/INST]'
    )


@pytest.mark.parametrize(
    ("think", "end"),
    [
        (None, "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>assistant\n"),
        (True, "<|im_start|>assistant\n<think>\nhm\n</think>\nHi!<|im_end|>\n<|im_start|>assistant\n"),
        (False, "</think>\nHi!<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"),
    ],
)
def test_qwen3_thinks_as_it_is_told(think, end):
    messages = (Message(role="user", content="a"), Message(role="assistant", content="Hi!", thinking="hm"))
    assert render(QWEN3, Conversation(messages=messages, think=think)).endswith(end)


def test_text_around_a_gap():
    assert render(FIM, Conversation(prompt="def f(", suffix="return 1")) == "<PRE> def f( <SUF>return 1 <MID>"
    assert render(FIM, Conversation(prompt="hi")) == "hi"
    with pytest.raises(UnsupportedCapabilityError, match="insert"):
        render(CHATML, Conversation(prompt="a", suffix="b"))


def test_a_template_without_a_place_for_the_answer_gets_one():
    assert render("[{{ .Prompt }}]") == "[Hello]Hi![1 < 2?]"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ .Prompt }}{{ if .Response }}<a>{{ .Response }}<e>{{ end }}<never>", "Hello<a>Hi!<e><never>1 < 2?"),
        ("{{ if .Prompt }}{{ .Prompt }}{{ with .System }}({{ . }}){{ end }}{{ .Response }}{{ else }}x{{ end }}<e>",
         "Hello(Help.)Hi!<e>1 < 2?"),
        ('{{ .Prompt }}{{ template "a" . }}{{ .Response }}<e>{{ define "a" }}:{{ end }}', "Hello:Hi!<e>1 < 2?:"),
    ],
)  # fmt: skip
def test_the_old_form_is_cut_where_the_answer_stands(source, text):
    assert render(source) == text


def test_in_the_old_form_tools_are_ignored(weather):
    assert render("{{ .System }}|{{ .Prompt }}|{{ .Tools }}|", weather()) == (
        "Be brief.|Rain in Köln & <Bonn>?|<no value>|"
    )


def test_neighbours_of_one_role_are_merged_but_tools_are_not():
    roles = ["system", "user", "user", "tool", "tool", "assistant", "assistant", "system"]
    messages = tuple(Message(role=role, content=str(index)) for index, role in enumerate(roles))
    assert render(
        "{{ range .Messages }}{{ .Role }}={{ .Content }};{{ end }}{{ .System }}", Conversation(messages=messages)
    ) == ("system=0;user=1\n\n2;tool=3;tool=4;assistant=5\n\n6;system=7;0\n\n7")


PROPERTIES = """\
{{ range .Tools }}{{ range $n, $p := .Function.Parameters.Properties }}{{ $n }}:{{ $p.Type }}:\
{{ toTypeScriptType $p }};{{ end }}{{ .Function.Parameters.Required }}{{ end }}"""
CALLS = """\
{{ range .Messages }}{{ range .ToolCalls }}{{ .ID }} {{ .Function.Index }} {{ json . }}\
{{ range $k, $v := .Function.Arguments }} {{ $k }}={{ $v }}{{ end }}{{ end }}{{ end }}"""
CALLS_WRITTEN = """\
call_1 0 {"id":"call_1","function":{"index":0,"name":"weather","arguments":{"city":"Köln","days":1}}}\
 city=Köln days=1"""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ .Nothing }}|{{ if .Nothing }}x{{ end }}", "<no value>|"),
        ("{{ .Tools }}", '[{"type":"function","function":{"name":"weather"'),
        ("{{ len .Tools }}{{ (index .Tools 0).Type }}{{ (index .Tools 0).Nothing }}", "1function<no value>"),
        ("{{ range .Tools }}{{ .Function.Parameters.Properties }}{{ end }}", '{"city":{"type":"string"'),
        (PROPERTIES, "city:string:string;days:[integer null]:number | null;[city]"),
        (CALLS, CALLS_WRITTEN),
        ("{{ range .Messages }}{{ .ToolName }}{{ .ToolCallID }}{{ end }}", "weathercall_1"),
        ("{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}", "true low true"),
        ('{{ printf "%s-%03d-%v" "a" 7 .Think }} {{ print 1 2 "x" 3 }} {{ println "a" 1 }}', "a-007-true 1 2x3 a 1\n"),
        ("{{ html `<\"a'&` }} {{ urlquery `a b&/` }}", "&lt;&#34;a&#39;&amp; a+b%26%2F"),
        ("{{ js `<\"a'=\\` }}", "\\u003C\\\"a\\'\\u003D\\\\"),
        ('{{ json "<&>\u2028" }}', '"\\u003c\\u0026\\u003e\\u2028"'),
        ("{{ $x := 1 }}{{ $x = 2 }}{{ $x }}{{- /* nothing */ -}} {{- `a` -}} b", "2ab"),
        ('{{ block "b" .System }}[{{ . }}]{{ end }}', "[Be brief.]"),
        ('{{ define "t" }}({{ . }}){{ end }}{{- template "t" 1 -}} {{ template "t" }}', "(1)(<no value>)"),
    ],
)  # fmt: skip
def test_the_language(weather, source, text):
    assert render(source + "{{ range .Messages }}{{ end }}", weather(think="low")).startswith(text)


@pytest.mark.parametrize(
    ("schema", "spelled"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "array"}, "any[]"),
        ({"type": "object"}, "Record<string, any>"),
        ({"type": ["number", "null"]}, "number | null"),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, "string | any[]"),
        ({"type": "date"}, "any"),
        ({}, "any"),
        ("not a schema", "any"),
    ],
)
def test_types_are_spelled_as_in_typescript(schema, spelled):
    tool = Tool(function=Function("f", parameters={"properties": {"p": schema}}))
    source = (
        "{{ range .Tools }}{{ range .Function.Parameters.Properties }}{{ toTypeScriptType . }}{{ end }}{{ end }}"
        "{{ range .Messages }}{{ end }}"
    )
    assert render(source, Conversation(tools=(tool,))) == spelled


def test_a_broken_schema_is_shown_as_far_as_it_goes():
    parameters = {"type": 1, "required": "all", "properties": {"p": {"enum": 1, "anyOf": {}, "description": []}}}
    tool = Tool(function=Function("f", parameters=parameters))
    assert render("{{ .Tools }}{{ range .Messages }}{{ end }}", Conversation(tools=(tool,))) == (
        '[{"type":"function","function":{"name":"f","description":"","parameters":{"type":"","properties":{"p":{}}}}}]'
    )


def test_a_tool_without_parameters_has_an_empty_map_of_properties():
    source = "{{ range .Tools }}{{ with .Function.Parameters }}{{ .Properties }}{{ len .Properties }}{{ json . }}"
    tools = (Tool(function=Function("f")),)
    assert render(
        f"{source}{{{{ end }}}}{{{{ end }}}}{{{{ range .Messages }}}}{{{{ end }}}}", Conversation(tools=tools)
    ) == ('{}0{"type":"","properties":null}')


def test_a_range_over_a_map_is_sorted_but_json_keeps_the_order():
    call = ToolCall(FunctionCall("f", {"z": 1, "a": 2}))
    conversation = Conversation(messages=(Message("assistant", tool_calls=(call,)),))
    arguments = ".Function.Arguments"
    source = f"{{{{ {arguments} }}}}{{{{ range $key, $_ := {arguments} }}}}{{{{ $key }}}}{{{{ end }}}}"
    source = "{{ range .Messages }}{{ range .ToolCalls }}" + source + "{{ end }}{{ end }}"
    assert render(source, conversation) == '{"z":1,"a":2}az'


def test_dates():
    today = datetime.now().astimezone().date()
    written = render('{{ currentDate }} {{ yesterdayDate "2006-01-02" }}{{ range .Messages }}{{ end }}')
    assert written == f"{today} {today - timedelta(days=1)}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ if }}", "missing value"),
        ("{{ if .Prompt }}", "unexpected EOF"),
        ("{{ .Prompt ", "unclosed action"),
        ("{{ nothing }}", "function 'nothing' not defined"),
        ("{{ end }}", "unexpected end"),
        ("x" * 200_001, "longer than 200,000 characters"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "limit"),
    ],
)
def test_bad_syntax_is_told_in_the_parsers_words(source, words):
    with pytest.raises(ModelError, match=words) as failed:
        GoTemplate(source)
    assert failed.value.status == 500


@pytest.mark.parametrize(
    "source", ["{{ index .Messages 99 }}", '{{ template "none" }}', "{{ lt .System 1 }}", "{{ slice .System 99 }}"]
)
def test_a_failing_template_is_the_models_fault(source):
    with pytest.raises(ModelError, match="TEMPLATE is faulty"):
        render(source + "{{ range .Messages }}{{ end }}")


MANY_TEMPLATES = "".join(
    f'{{{{ define "t{n}" }}}}{{{{ template "t{n + 1}" }}}}{{{{- template "t{n + 1}" . -}}}}{{{{ end }}}}'
    for n in range(40)
)
GREEDY = {
    "endless loops": "{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}",
    "long bodies": "{{ range 1000000 }}" + "{{ if . }}{{ end }}" * 300 + "{{ end }}",
    "recursion": '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
    "branching": MANY_TEMPLATES + '{{ define "t40" }}{{ end }}{{ template "t0" . }}',
    "print": '{{ $x := "ab" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}',
    "println": '{{ $x := "ab" }}{{ range 60 }}{{ $x = println $x $x }}{{ end }}',
    "printf": '{{ $x := "ab" }}{{ range 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}',
    "repeated verbs": '{{ $x := "ab" }}{{ range 60 }}{{ $x = printf "%[1]s%[1]s" $x }}{{ end }}',
    "escapes": "{{ $x := `\\\\\\` }}{{ $x" + " | js" * 60 + " }}",
    "nested escapes": "{{ $x := `\\\\\\` }}{{ len (" + "js (" * 50 + "$x" + ")" * 51 + " }}",
    "long formats": "{{ $x := `%v%v` }}{{ range 22 }}{{ $x = print $x $x }}{{ end }}{{ printf $x 1 }}",
    "widths": '{{ printf "%999999999d" 1 }}',
    "given widths": '{{ printf "%*d" 999999999 1 }}',
    "output": "{{ range 1000000 }}" + "x" * 999 + "{{ end }}",
}


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("source", GREEDY.values(), ids=GREEDY)
def test_greed_ends(source):
    with pytest.raises(ModelError, match="too much"):
        render(source)


@pytest.mark.parametrize(
    ("source", "capabilities", "round_trip"),
    [
        (CHATML, set(), False),
        (LLAMA3, {"tools"}, True),
        (MISTRAL, {"tools"}, False),
        (QWEN3, {"thinking"}, False),
        (FIM, {"insert"}, False),
        ("{{ $.Suffix }}{{ range $i, $t := $.TOOLS }}{{ end }}", {"insert", "tools"}, False),
    ],
)
def test_what_a_template_knows(source, capabilities, round_trip):
    template = GoTemplate(source)
    assert (template.capabilities, template.tool_round_trip) == (capabilities, round_trip)


@pytest.mark.parametrize(
    ("inside", "tags"),
    [
        ("{{ if .Thinking }}\n <think>{{ .Thinking }}</think> \n{{ end }}", ("<think>", "</think>")),
        ("{{ if and $i .Thinking }} before {{ .Thinking }} after {{ end }}", ("before", "after")),
        (
            "<a>{{ if .Content }}x{{ else if $m.Thinking }}[THINK]{{ $m.Thinking }}[/THINK]{{ end }}<b>",
            ("[THINK]", "[/THINK]"),
        ),
        ("{{ range .Others }}<think>{{ .Thinking }}</think>{{ end }}", None),
        ("{{ if .Thinking }}<think>{{ .Thinking }}{{ end }}", None),
        ("{{ if .Thinking }}<think></think>{{ end }}", None),
        ("", None),
    ],
)
def test_thinking_tags_are_inferred(inside, tags):
    template = GoTemplate("{{ if .Thinking }}/think{{ end }}{{ range $i, $m := .Messages }}" + inside + "{{ end }}")
    assert template.thinking_tags == tags
