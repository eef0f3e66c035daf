import pytest

from camelid.errors import ModelError
from camelid.prompts.choose import choose_template
from camelid.prompts.conversation import Conversation
from camelid.prompts.go import GoTemplate
from camelid.prompts.jinja import JinjaTemplate
from camelid.types.messages import Message

GO = "{{ range .Messages }}{{ .Content }}{{ end }}"
GO_TOOLS = GO + "{{ .Tools }}"
GO_ROUND_TRIP = GO_TOOLS + '{{ range .Messages }}{{ if eq .Role "tool" }}{{ end }}{{ .ToolCalls }}{{ end }}'
GO_INSERT = GO + "{{ .Suffix }}"
JINJA = "{{ messages[0].content }}"
JINJA_TOOLS = JINJA + "{{ tools }}"
JINJA_ROUND_TRIP = JINJA_TOOLS + "{% if messages[0].role == 'tool' %}{% endif %}{{ messages[0].tool_calls }}"


@pytest.mark.parametrize(
    ("go", "jinja", "chosen"),
    [
        (GO, "", GoTemplate),
        (GO, JINJA, GoTemplate),
        (None, JINJA, JinjaTemplate),
        (None, "", GoTemplate),
        ("", JINJA, GoTemplate),
        (GO, JINJA_TOOLS, JinjaTemplate),
        (GO_TOOLS, JINJA, GoTemplate),
        (GO_TOOLS, JINJA_TOOLS, GoTemplate),
        (GO_TOOLS, JINJA_ROUND_TRIP, JinjaTemplate),
        (GO_ROUND_TRIP, JINJA_ROUND_TRIP, GoTemplate),
        (GO_INSERT, JINJA_TOOLS, GoTemplate),
        (GO, "{% broken", GoTemplate),
    ],
)
def test_go_wins_unless_jinja_can_do_more(go, jinja, chosen):
    assert type(choose_template(go, jinja)) is chosen


@pytest.mark.parametrize(
    ("go", "jinja", "prefer_go", "chosen"),
    [
        (GO, JINJA_ROUND_TRIP, True, "go"),
        (GO_ROUND_TRIP, JINJA, False, "jinja"),
        (None, JINJA, True, "jinja"),
        (GO, "", False, "go"),
        (None, "", False, "go"),
    ],
)
def test_a_preference_replaces_the_comparison(go, jinja, prefer_go, chosen):
    assert choose_template(go, jinja, prefer_go=prefer_go).language == chosen


def test_without_any_template_the_prompt_is_the_prompt():
    messages = (Message(role="user", content="Once upon a time"),)
    assert choose_template(None, "").render(Conversation(messages=messages)).text == "Once upon a time"


def test_the_special_tokens_reach_jinja():
    chosen = choose_template(None, "{{ bos_token }}{{ eos_token }}", bos_token="<s>", eos_token="</s>")
    assert chosen.render(Conversation()).text == "<s></s>"


@pytest.mark.parametrize(("go", "jinja"), [(None, "{% broken"), ("{{ broken", ""), ("{{ broken", JINJA)])
def test_a_broken_template_is_not_replaced_by_another(go, jinja):
    with pytest.raises(ModelError):
        choose_template(go, jinja)


def test_a_template_is_compiled_once():
    assert choose_template(GO, JINJA) is choose_template(GO, JINJA)
