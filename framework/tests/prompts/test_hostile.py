"""Whatever a template is made of, it gives a prompt or one of our errors."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camelid.errors import CamelidError, ModelError
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


REACHING = [
    *("{{ .System.upper }}", "{{ .System.ljust 99999999999 }}", '{{ .Think.to_bytes 9 "big" }}', "{{ .Nothing.At }}"),
    *("{{ .Messages.clear }}", "{{ .Messages.pop }}", "{{ .Messages.extend .Messages }}", "{{ .Tools.as_json }}"),
    *('{{ $f := "{0.__class__}" }}{{ $f.format . }}', '{{ ("{0.__class__}").format .Messages }}'),
    *("{{ range .Messages }}{{ .Content.encode }}{{ end }}", "{{ call .Messages.append 1 }}"),
    "{{ range .Messages }}{{ range .ToolCalls }}{{ range .Function.Arguments }}{{ .title }}{{ end }}{{ end }}{{ end }}",
]


@pytest.mark.parametrize("source", REACHING)
def test_values_of_a_go_template_have_no_methods(weather, source):
    conversation = weather(think=True)
    template = choose_template(source + "{{ .Messages }}", "")
    with pytest.raises(ModelError, match="the model's TEMPLATE is faulty"):
        template.render(conversation)
    assert conversation == weather(think=True)


@pytest.mark.parametrize("field", ["__class__", "__init__", "_fields", "as_json", "keys", "real"])
def test_values_of_a_go_template_have_no_attributes_of_python(weather, field):
    source = f"{{{{ range .Tools }}}}{{{{ .{field} }}}}{{{{ .Function.{field} }}}}{{{{ end }}}}{{{{ .{field} }}}}"
    assert choose_template(source + "{{ len .Messages }}", "").render(weather()).text.count("<no value>") == 3


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
