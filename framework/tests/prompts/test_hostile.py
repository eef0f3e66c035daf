"""Whatever a template is made of, it gives a prompt or one of our errors."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camelid.errors import CamelidError
from camelid.prompts.choose import choose_template
from camelid.prompts.rendered import RenderedPrompt

JINJA = [
    *("{% for m in messages %}", "{% for x in range(9) if x %}", "{% endfor %}", "{% if tools %}", "{% else %}"),
    *("{% endif %}", "{{ m.content }}", "{{ messages[0]", "}}", "{%", "{{", "{#", "#}", "-%}", "| tojson }}", " ~ "),
    *("{% set x = x ~ x %}", "{{ x.format(x) }}", "{{ loop.index }}", "{% macro f(a) %}", "{{ f(f) }}", "'", '"'),
    *("{% endmacro %}", "{% generation %}", "{% endgeneration %}", "{{ [x, m] | sort }}", "{% block b %}", "\0", "é"),
    *("{{ x['__class__'] }}", "{{ x % m }}", "{{ self.b() }}", "{% break %}", "{% set x %}", "{% endset %}", "\n"),
]
GO = [
    *("{{ range .Messages }}", "{{ range $i, $m := .Messages }}", "{{ end }}", "{{ if .Tools }}", "{{ else }}", "{{-"),
    *("{{ .Content }}", "{{ .Response }}", "{{ .Prompt }}", "{{", "}}", "-}}", " | json }}", "{{ $m.Thinking }}", "\n"),
    *('{{ define "a" }}', '{{ template "a" }}', '{{ template "a" . -}}', '{{ block "b" . }}', "{{ break }}", "é", "\0"),
    *("{{ len .Messages }}", "{{ index .Messages 1 }}", "{{ $x := .System }}", "{{ $x }}", "{{/*", "*/}}", "`", '"'),
    *(
        "{{ else if eq .Role 1 }}",
        "{{ with .Tools }}",
        "{{ print . . }}",
        "{{ (.Tools).Type }}",
        "{{ nil }}",
        "{{ . }}",
    ),
]


def sources(parts: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), max_size=12).map("".join)


@pytest.mark.usefixtures("small_budget")
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(go=sources(GO), jinja=sources(JINJA))
def test_only_prompts_and_errors_come_out(weather, go, jinja):
    for chosen in ((go, ""), (None, jinja)):
        outcome: RenderedPrompt | CamelidError
        try:
            outcome = choose_template(*chosen).render(weather(think=True))
        except CamelidError as error:
            outcome = error
        said = outcome.text if isinstance(outcome, RenderedPrompt) else outcome.message
        assert isinstance(said, str)
        assert len(said) < 100_000
