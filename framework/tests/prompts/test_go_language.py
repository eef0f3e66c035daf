"""Go's template language and Ollama's functions: what a Go programmer expects of each (contract 12.1, 12.2)."""

import pytest

from camelid.errors import ModelError
from camelid.prompts.conversation import Conversation
from camelid.prompts.go import GoTemplate
from camelid.types.messages import Message

MESSAGES = (
    Message(role="system", content="Sys"),
    Message(role="user", content="one"),
    Message(role="assistant", content="two"),
    Message(role="user", content="three"),
)
ROLES = "{{ range .Messages }}"

TABLE = {
    "and gives its first false argument": ('{{ and 1 0 2 }}|{{ and "a" "b" }}|{{ and "" 1 }}|', "0|b||"),
    "or gives its first true argument": ('{{ or 0 "" 3 4 }}|{{ or 0 "" }}|', "3||"),
    "and stops early": ("{{ and false (index .Messages 99) }}", "false"),
    "or stops early": ("{{ or 1 (index .Messages 99) }}", "1"),
    "not": ('{{ not 0 }} {{ not "x" }} {{ not .Nothing }}', "true false true"),
    "eq with several": ('{{ eq "b" "a" "b" }} {{ eq 1 2 3 }} {{ eq 1 1 }}', "true false true"),
    "order": ('{{ ne 1 2 }}{{ lt 1 2 }}{{ le 2 2 }}{{ gt "b" "a" }}{{ ge 1 2 }}', "truetruetruetruefalse"),
    "len": ('{{ len "né" }} {{ len .Messages }}', "3 4"),
    "index": ("{{ (index .Messages 1).Content }} {{ index `abc` 1 }}", "one 98"),
    "slice": ('{{ slice "abcdef" 2 }} {{ slice "abcdef" 1 3 }} {{ len (slice .Messages 1 3) }}', "cdef bc 2"),
    "print": ('{{ print "a" 1 2 "b" true nil }}', "a1 2btrue <nil>"),
    "println": ('{{ println "a" 1 }}', "a 1\n"),
    "printf of texts": ('{{ printf "%s|%5s|%-5s|%q|%x|%.2s" "a" "b" "c" "d" "é" "fgh" }}', 'a|    b|c    |"d"|c3a9|fg'),
    "printf of numbers": ('{{ printf "%d|%04d|%+d|%x|%X|%o|%b|%c|%U" 7 7 7 255 255 8 5 233 233 }}',
                          "7|0007|+7|ff|FF|10|101|é|U+00E9"),
    "printf of fractions": ('{{ printf "%f|%.2f|%6.1f|%g|%e" 1.5 1.5 1.5 1.5 1.5 }}',
                            "1.500000|1.50|   1.5|1.5|1.500000e+00"),
    "printf of anything": ('{{ printf "%v|%t|%%|%v" true false "x" }}', "true|false|%|x"),
    "printf with too few and too many": ('{{ printf "%d" }}|{{ printf "a" 1 }}', "%!d(MISSING)|a%!(EXTRA int=1)"),
    "printf of the wrong kind": ('{{ printf "%d" "x" }}', "%!d(string=x)"),
    "json": (
        '{{ json "a\\"b<" }} {{ json 1.5 }} {{ json true }} {{ json nil }} {{ json .No }}',
        '"a\\"b\\u003c" 1.5 true null null',
    ),
    "a pipe fills the last argument": ('{{ "x" | printf "%s-%s" "y" }} {{ .System | len | eq 3 }}', "y-x true"),
    "a missing field is nothing": ("{{ .No }}|{{ with .No }}x{{ else }}none{{ end }}|{{ len .Messages }}",
                                   "<no value>|none|4"),
    "the root from inside": (ROLES + "{{ $.System }}{{ end }}", "SysSysSysSys"),
    "range with index": ("{{ range $i, $m := .Messages }}{{ $i }}{{ $m.Role }} {{ end }}",
                         "0system 1user 2assistant 3user "),
    "range else": ("{{ range .Tools }}x{{ else }}none{{ end }}", "none"),
    "range over a number": ("{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}", "01201"),
    "break": (ROLES + '{{ if eq .Role "assistant" }}{{ break }}{{ end }}{{ .Content }} {{ end }}', "Sys one "),
    "continue": (ROLES + '{{ if eq .Role "user" }}{{ continue }}{{ end }}{{ .Content }} {{ end }}', "Sys two "),
    "variables are set from inside": ("{{ $n := 0 }}" + ROLES + "{{ $n = .Content }}{{ end }}{{ $n }}", "three"),
    "variables end with their block": ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
    "else if": (
        ROLES + '{{ if eq .Role "user" }}U{{ else if eq .Role "system" }}S{{ else }}A{{ end }}{{ end }}',
        "SUAU",
    ),
    "with and its variable": ("{{ with $s := .System }}{{ . }}{{ $s }}{{ end }}", "SysSys"),
    "else with": ("{{ with .Suffix }}x{{ else with .System }}{{ . }}{{ end }}", "Sys"),
    "define and template": ('{{ define "t" }}<{{ .Role }}>{{ end }}' + ROLES + '{{ template "t" . }}{{ end }}',
                            "<system><user><assistant><user>"),
    "the dollar of a template is its argument": ('{{ define "t" }}{{ $ }}{{ end }}{{ template "t" .System }}', "Sys"),
    "block": ('{{ block "b" .System }}[{{ . }}]{{ end }}', "[Sys]"),
    "comments": ("a{{/* b */}}c {{- /* d */ -}} e", "ace"),
    "trim markers": ("a \n {{- 1 -}} \n b {{ 2 -}} c {{- 3 }} d", "a1b 2c3 d"),
    "numbers are no trim markers": ("a {{-1}} b", "a -1 b"),
    "raw texts": ("{{ `a\\n\"b` }}", 'a\\n"b'),
    "quoted texts": ('{{ "a\\n\\t\\u00e9\\x41" }}', "a\n\téA"),
    "characters": ("{{ 'a' }} {{ printf `%c` 'é' }}", "97 é"),
    "numbers": ("{{ 0x10 }} {{ 1_000 }} {{ 0b11 }} {{ 1e3 }}", "16 1000 3 1000"),
    "parentheses": ("{{ (index .Messages 0).Content }} {{ eq (len .System) 3 }}", "Sys true"),
    "html": ("{{ html `<a href='x'>` }}", "&lt;a href=&#39;x&#39;&gt;"),
    "urlquery": ("{{ urlquery `a&b c` }}", "a%26b+c"),
    "true and false": ("{{ if true }}a{{ end }}{{ if false }}b{{ end }}", "a"),
    "braces as text": ("{{ `{{` }}{{ \"}}\" }}", "{{}}"),
    "functions do not answer to other names": ("{{ currentDate 1 2 | len }}", "10"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_the_language_is_gos(case):
    source, text = TABLE[case]
    template = GoTemplate(source + "{{ range .Messages }}{{ end }}")
    assert template.render(Conversation(messages=MESSAGES)).text == text


NOTHING = "{{ range .Messages }}{{ end }}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ index .Messages 4 }}", "out of range"),
        ("{{ index .Messages -1 }}", "out of range"),
        ("{{ index .System 99 }}", "out of range"),
        ("{{ slice .System 4 }}", "out of bounds"),
        ("{{ slice .Messages 3 1 }}", "slice"),
        ("{{ slice .Messages 0 99 }}", "out of bounds"),
        ("{{ len 3 }}", "len"),
        ('{{ lt 1 "a" }}', "incompatible types"),
        ("{{ template `none` }}", "not defined"),
        ("{{ range true }}{{ end }}", "range"),
        ("{{ call .System }}", "call"),
    ],
)
def test_a_mistake_is_told_and_whose_it_is(source, words):
    with pytest.raises(ModelError, match=words) as failed:
        GoTemplate(source + NOTHING).render(Conversation(messages=MESSAGES))
    assert "the model's TEMPLATE is faulty" in failed.value.message


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize(
    "source",
    [
        "{{ range 99999 }}{{ range 99999 }}{{ end }}{{ end }}",
        '{{ define "a" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ template "a" }}{{ end }}{{ template "a" }}',
        '{{ printf "%1000000000d" 1 }}',
        '{{ printf "%.1000000000f" 1.5 }}',
        '{{ printf "%[2]*[1]d" 1 1000000000 }}',
        '{{ $x := printf "%9999d" 1 }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}',
        "{{ range 99999 }}{{ printf `%9999d` . }}{{ end }}",
        "{{ $x := json .Messages }}{{ range 60 }}{{ $x = json $x }}{{ end }}",
        "{{ range 99999 }}{{ $.Messages }}{{ json $.Messages }}{{ end }}",
    ],
)
def test_what_has_no_end_is_ended(source):
    with pytest.raises(ModelError, match="computes or writes too much"):
        GoTemplate(source + NOTHING).render(Conversation(messages=MESSAGES))


DEEP = {
    "blocks": "{{ if true }}" * 3000 + "{{ end }}" * 3000,
    "brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_what_is_nested_too_deeply_is_refused(source):
    with pytest.raises(ModelError, match="nesting limit"):
        GoTemplate(source + NOTHING)


def test_a_long_pipe_is_just_long():
    source = "{{ 1 " + "| print " * 3000 + "}}"
    assert GoTemplate(source + NOTHING).render(Conversation(messages=MESSAGES)).text == "1"
