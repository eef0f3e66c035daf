"""The tables of slash commands: what they list is what help, the Tab key and the chat know."""

import pytest

from camelid.cli.answer import Display
from camelid.cli.chat.entries import find
from camelid.cli.chat.session import ChatSession
from camelid.cli.chat.setting import SETTINGS
from camelid.cli.chat.slash import SLASH_COMMANDS, completions, handle_slash, help_text
from camelid.cli.client import Client
from camelid.cli.messages import ShownModel

CONTRACT = """
/set parameter|/set system|/set history|/set nohistory|/set wordwrap|/set nowordwrap|/set verbose|/set quiet
/set format json|/set noformat|/set think|/set nothink
/show info|/show license|/show modelfile|/show parameters|/show system|/show template
/load|/save|/clear|/list|/bye|/exit|/?|/help
"""
"""Of section 19.5, written out."""


@pytest.fixture
def session() -> ChatSession:
    return ChatSession(Client("http://127.0.0.1:9"), "x", ShownModel(), Display())


def test_the_tab_key_knows_every_command_of_the_contract():
    assert sorted(completions()) == sorted(CONTRACT.replace("\n", "|").strip("|").split("|"))


def test_help_has_a_line_for_each_command():
    lines = help_text("").splitlines()
    assert [line.split()[0].rstrip(",") for line in lines[1 : len(SLASH_COMMANDS) + 1]] == [
        entry.words[0] for entry in SLASH_COMMANDS
    ]
    assert lines[1].split() == ["/set", "Set", "session", "variables"]
    assert [line.split()[1] for line in help_text("set").splitlines()[1:-1]] == [entry.words[0] for entry in SETTINGS]


@pytest.mark.parametrize(
    ("topic", "beginning"),
    [
        ("set", "Available Commands:\n  /set parameter ...     Set a parameter\n"),
        ("/show", "Available Commands:\n  /show info         Show details"),
        ("shortcut", "Available keyboard shortcuts:\n  Ctrl + a  "),
        ("clear", "Available Commands:\n  /set  "),
        ("dance", "Available Commands:\n  /set  "),
    ],
)
def test_help_has_subjects(topic: str, beginning: str):
    assert help_text(topic).startswith(beginning)


def test_only_models_that_see_are_told_how_to_be_shown_something(capsys: pytest.CaptureFixture[str]):
    for capabilities in ((), ("vision",)):
        client = Client("http://127.0.0.1:9")
        handle_slash(ChatSession(client, "x", ShownModel(capabilities=capabilities), Display()), "/?")
        assert ("/path/to/file" in capsys.readouterr().err) == bool(capabilities)


@pytest.mark.parametrize("line", ["/show nothing", "/set nothing 1", "/nothing"])
def test_what_is_in_no_table_is_unknown(session: ChatSession, line: str, capsys: pytest.CaptureFixture[str]):
    assert handle_slash(session, line)
    command = line.removesuffix(" 1")
    assert capsys.readouterr().out == f"Unknown command '{command}'. Type /? for help\n"


def test_names_are_unique():
    words = [word for entry in SLASH_COMMANDS for word in entry.words]
    assert len(words) == len(set(words))
    assert find(SLASH_COMMANDS, "/exit") is find(SLASH_COMMANDS, "/bye")
