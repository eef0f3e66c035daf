"""The families of contract 15.2, in both forms of Go templates; and what each says of tools, where it has them."""

import tomllib
from pathlib import Path

import pytest

from camelid.prompts.conversation import Conversation
from camelid.prompts.go import GoTemplate
from camelid.types.messages import Message

FAMILIES = tomllib.loads(Path(__file__).with_name("go_families.toml").read_text("utf-8"))
HI = Message(role="user", content="Hi")
SYSTEM = Message(role="system", content="Be brief.")
CONVERSATIONS = {
    "user": (HI,),
    "system": (SYSTEM, HI),
    "turns": (SYSTEM, HI, Message(role="assistant", content="Hello."), Message(role="user", content="Bye")),
}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("form", ["messages", "older"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_prompted_as_it_was_trained(family, form, conversation):
    rendered = GoTemplate(FAMILIES[family][form]).render(Conversation(messages=CONVERSATIONS[conversation]))
    assert rendered.text == FAMILIES[family][conversation]


HERMES = """\
{{- if or .System .Tools }}<|im_start|>system
{{ with .System }}{{ . }}{{ end }}
{{- if .Tools }}

Functions, as JSON:
<tools>
{{- range .Tools }}
{"type": "function", "function": {{ .Function }}}
{{- end }}
</tools>
{{- end }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 -}}
{{ if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ if .Content }}{{ .Content }}
{{- else if .ToolCalls }}<tool_call>
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
{{ end }}</tool_call>
{{- end }}{{ if not $last }}<|im_end|>
{{ end }}
{{- else if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}
{{- if and (ne .Role "assistant") $last }}<|im_start|>assistant
{{ end }}
{{- end }}"""
COMMAND_R = """\
{{- range .Messages }}<|START_OF_TURN_TOKEN|>
{{- if eq .Role "system" }}<|SYSTEM_TOKEN|>{{ .Content }}
{{- if $.Tools }}

## Available Tools
{{ range $.Tools }}{{ .Function.Name }}({{ range $name, $property := .Function.Parameters.Properties -}}
{{ $name }}: {{ toTypeScriptType $property }};{{ end }}) - {{ .Function.Description }}
{{- end }}
{{- end }}
{{- else if eq .Role "user" }}<|USER_TOKEN|>{{ .Content }}
{{- else if eq .Role "tool" }}<|SYSTEM_TOKEN|><results>{{ .ToolName }}: {{ .Content }}</results>
{{- else }}<|CHATBOT_TOKEN|>{{ if .ToolCalls }}Action: {{ json .ToolCalls }}{{ else }}{{ .Content }}{{ end }}
{{- end }}<|END_OF_TURN_TOKEN|>
{{- end }}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"""
FUNCTION = (
    '{"name":"weather","description":"Tells the weather.","parameters":{"type":"object","required":["city"],'
    '"properties":{"city":{"type":"string","description":"Where?"},"days":{"type":["integer","null"],"enum":[1,3]}}}}'
)
CALL = '{"id":"call_1","function":{"index":0,"name":"weather","arguments":{"city":"Köln","days":1}}}'


def test_qwen_and_hermes_get_their_tools_and_what_came_of_them(weather):
    assert GoTemplate(HERMES).render(weather()).text == (
        "<|im_start|>system\nBe brief.\n\nFunctions, as JSON:\n<tools>\n"
        f'{{"type": "function", "function": {FUNCTION}}}\n</tools><|im_end|>\n'
        "<|im_start|>user\nRain in Köln & <Bonn>?<|im_end|>\n"
        "<|im_start|>assistant\n<tool_call>\n"
        '{"name": "weather", "arguments": {"city":"Köln","days":1}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nnone\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_command_r_gets_its_tools_and_what_came_of_them(weather):
    turn, end = "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>"
    assert GoTemplate(COMMAND_R).render(weather()).text == (
        f"{turn}<|SYSTEM_TOKEN|>Be brief.\n\n## Available Tools\n"
        f"weather(city: string;days: number | null;) - Tells the weather.{end}"
        f"{turn}<|USER_TOKEN|>Rain in Köln & <Bonn>?{end}"
        f"{turn}<|CHATBOT_TOKEN|>Action: [{CALL}]{end}"
        f"{turn}<|SYSTEM_TOKEN|><results>weather: none</results>{end}"
        f"{turn}<|CHATBOT_TOKEN|>"
    )


@pytest.mark.parametrize("template", [HERMES, COMMAND_R])
def test_a_family_with_tools_makes_a_whole_round_trip(template):
    assert GoTemplate(template).tool_round_trip
