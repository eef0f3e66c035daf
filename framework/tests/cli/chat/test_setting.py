import pytest

from camelid.cli.answer import Display
from camelid.cli.chat.entries import find
from camelid.cli.chat.session import ChatSession
from camelid.cli.chat.slash import SLASH_COMMANDS
from camelid.cli.client import Client
from camelid.cli.messages import ShownModel


@pytest.fixture
def session() -> ChatSession:
    return ChatSession(Client("http://127.0.0.1:9"), "x", ShownModel(), Display())


def change_setting(session: ChatSession, text: str) -> str:
    """What `/set` and a text print."""
    act = find(SLASH_COMMANDS, "/set").act
    return act(session, text)


@pytest.mark.parametrize(
    ("text", "said", "options"),
    [
        ("parameter temperature 0.5", "Set parameter 'temperature' to '0.5'\n", {"temperature": 0.5}),
        ("parameter seed 7", "Set parameter 'seed' to '7'\n", {"seed": 7}),
        ('parameter stop "a b" c', "Set parameter 'stop' to 'a b, c'\n", {"stop": ["a b", "c"]}),
        ("parameter use_mmap false", "Set parameter 'use_mmap' to 'false'\n", {"use_mmap": False}),
        ("parameter warmth 1", "Couldn't set parameter: \"unknown parameter 'warmth'\"\n", {}),
        ("parameter seed hot", 'Couldn\'t set parameter: "invalid int value [hot]"\n', {}),
    ],
)
def test_parameters_are_checked(session: ChatSession, text: str, said: str, options: dict[str, object]):
    assert change_setting(session, text) == said
    assert session.options == options


def test_a_parameter_without_a_value_lists_what_there_is(session: ChatSession):
    said = change_setting(session, "parameter seed")
    assert said.startswith("Usage:\n  /set parameter <name> <value>\n")
    assert "  /set parameter num_ctx <int>\n" in said
    assert session.options == {}


def test_a_model_that_does_not_think_is_warned_about(session: ChatSession, capsys: pytest.CaptureFixture[str]):
    warning = 'warning: model "x" does not support thinking output\n'
    change_setting(session, "think")
    change_setting(session, "nothink")
    assert capsys.readouterr().err == warning * 2
    session.shown = ShownModel(capabilities=("thinking",))
    change_setting(session, "think")
    assert capsys.readouterr().err == ""


def test_system_messages_may_have_several_lines(session: ChatSession):
    assert change_setting(session, 'system """Be\nshort"""') == "Set system message.\n"
    assert session.system == "Be\nshort"


def test_thinking_has_levels(session: ChatSession):
    assert change_setting(session, "think") == "Set 'think' mode.\n"
    assert session.think is True
    assert change_setting(session, "think high") == "Set 'think' mode to 'high'.\n"
    assert session.think == "high"
    assert "must be one of" in change_setting(session, "think hard")
    assert session.think == "high"
    assert change_setting(session, "nothink") == "Set 'nothink' mode.\n"
    assert session.think is False


def test_format_is_json_or_a_schema(session: ChatSession):
    assert change_setting(session, "format json") == "Set format to 'json' mode.\n"
    assert session.format == "json"
    change_setting(session, 'format {"type": "object"}')
    assert session.format == {"type": "object"}
    assert change_setting(session, "format xml").startswith("Invalid")
    assert session.format == {"type": "object"}
    assert change_setting(session, "noformat") == "Disabled format.\n"
    assert session.format is None


def test_display_modes(session: ChatSession):
    assert change_setting(session, "nowordwrap") == "Set 'nowordwrap' mode.\n"
    assert change_setting(session, "verbose") == "Set 'verbose' mode.\n"
    assert session.display == Display(wordwrap=False, verbose=True)
    change_setting(session, "wordwrap")
    change_setting(session, "quiet")
    assert session.display == Display()


def test_history(session: ChatSession):
    change_setting(session, "nohistory")
    assert not session.keeps_history
    change_setting(session, "history")
    assert session.keeps_history


def test_unknown_words_and_nothing(session: ChatSession):
    assert change_setting(session, "warp 9") == "Unknown command '/set warp'. Type /? for help\n"
    assert "/set parameter" in change_setting(session, "")
