"""The whole command on a terminal of its own."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from camelid.cli.client import Client
from camelid.cli.messages import CreateBody
from camelid.types.messages import Message

ECHO = "camelid/echo"
SECONDS = 60
PROMPT = ">>> "
CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"

_COMMAND = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from camelid.cli import main; main()"
"""The command in a session that this terminal controls, so that Ctrl+C is a signal."""
_WHERE = "\x1b[6n"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Terminal:
    """What a person sees and types."""

    def __init__(self, server: str, home: Path, *arguments: str, **changes: str) -> None:
        self._raw = self.screen = ""
        self.fd, inner = pty.openpty()
        termios.tcsetwinsize(inner, (24, 100))
        environment = {"OLLAMA_HOST": server, "HOME": str(home), "TERM": "xterm-256color", **changes}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments],
            env={**os.environ, **environment},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=home,
            start_new_session=True,
        )
        os.close(inner)

    def wait_for(self, text: str) -> str:
        """Read until `text` shows up after what was waited for before; return what stood between."""
        while text not in self.screen:
            readable, _, _ = select.select([self.fd], [], [], SECONDS)
            assert readable, f"waiting for {text!r}, saw {self.screen!r}"
            self._take(os.read(self.fd, 4096).decode("utf-8", "replace"))
        before, _, self.screen = self.screen.partition(text)
        return before

    def _take(self, raw: str) -> None:
        self._raw += raw
        if _WHERE in self._raw:  # prompt_toolkit asks where the cursor is
            self._raw = self._raw.replace(_WHERE, "")
            self.type("\x1b[1;1R")
        # An escape sequence may be cut in two: what could be the beginning of one waits for the rest.
        whole = self._raw.rfind("\x1b") if re.search(r"\x1b\[?[0-9;?]*\Z", self._raw) else len(self._raw)
        self.screen += _ESCAPES.sub("", self._raw[:whole])
        self._raw = self._raw[whole:]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def say(self, line: str, answer: str) -> str:
        """Type a line at the prompt and wait for what follows it; return what came before that."""
        self.type(f"{line}\r")
        return self.wait_for(answer)

    def leave(self, how: str = "/bye\r") -> int:
        """Type how to leave; return the exit status."""
        self.type(how)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


@pytest.fixture
def terminal(server: str, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Open a chat with a model, and wait for its prompt."""
    opened: list[Terminal] = []

    def chat(*arguments: str, url: str = server, **changes: str) -> Terminal:
        opened.append(Terminal(url, tmp_path, "run", *(arguments or (ECHO,)), **changes))
        opened[-1].wait_for("Send a message (/? for help)")
        return opened[-1]

    yield chat
    for each in opened:
        each.close()


@pytest.fixture
def slow(client: Client) -> str:
    """A model that takes a while for each byte."""
    list(client.create(CreateBody("slow", from_=ECHO, parameters={"backend_options": {"delay": 0.05}})))
    return "slow"


def test_a_chat_from_prompt_to_bye(terminal, tmp_path: Path):
    chat = terminal()
    chat.say("knock knock", "knock knock\r\n")
    chat.wait_for(PROMPT)
    assert chat.leave() == 0
    assert (tmp_path / ".ollama" / "history").read_text() == "knock knock\n/bye\n"


def test_ctrl_d_leaves(terminal):
    chat = terminal()
    assert chat.leave(CTRL_D) == 0


def test_a_message_of_several_lines(terminal):
    chat = terminal()
    chat.type('"""one\r')
    chat.wait_for("...")
    chat.say('two"""', "one\r\ntwo\r\n")


def test_ctrl_c_stops_the_answer_and_not_the_program(terminal, slow: str, client: Client):
    chat = terminal(slow)
    chat.type('"""begin\r')
    chat.wait_for("...")
    chat.say(f'{"word " * 100}end"""', "begin\r\nword")
    chat.type(CTRL_C)
    assert "end" not in chat.wait_for(PROMPT)
    chat.say("/save cut", "Created new model 'cut'\r\n")
    question, answer = client.show("cut").messages
    assert question.content.endswith(" end")
    assert answer.content.startswith("begin\nword")
    assert not answer.content.endswith("end")
    chat.say("still there?", "still there?\r\n\r\n")


def test_ctrl_c_on_an_empty_line_says_how_to_leave(terminal):
    chat = terminal()
    chat.type(CTRL_C)
    chat.wait_for("Use Ctrl + d or /bye to exit.\r\n")
    chat.say("hello", "hello\r\n\r\n")


@pytest.mark.parametrize(
    "lines",
    [
        (
            ("/set parameter num_predict 3", "Set parameter 'num_predict' to '3'\r\n"),
            ("abcdef", "abc\r\n"),
            ("/set parameter warmth 1", "Couldn't set parameter: \"unknown parameter 'warmth'\"\r\n"),
            ("/set parameter", "Usage:\r\n  /set parameter <name> <value>\r\n"),
            ("/show parameters", "User defined parameters:\r\n  num_predict                    3\r\n"),
        ),
        (
            ("/show system", "No system message was specified for this model.\r\n"),
            ("/set system Be kind.", "Set system message.\r\n"),
            ("/show system", "Be kind.\r\n"),
        ),
        (
            ("/set format json", "Set format to 'json' mode.\r\n"),
            ('{"a":1} and more', '{"a":1}\r\n'),
            ("/set noformat", "Disabled format.\r\n"),
            ("plain", "plain\r\n\r\n"),
        ),
        (
            ("/set verbose", "Set 'verbose' mode.\r\n"),
            ("hello", "eval rate:            "),
            ("/set quiet", "Set 'quiet' mode.\r\n"),
            ("/set wordwrap", "Set 'wordwrap' mode.\r\n"),
            ("/set nowordwrap", "Set 'nowordwrap' mode.\r\n"),
        ),
        (
            ("/show info", "  Model\r\n    architecture "),
            ("/show license", "No license was specified for this model.\r\n"),
            ("/show modelfile", "# Modelfile generated by "),
            ("/show parameters", "Model defined parameters:\r\n"),
            ("/show template", "{{ range .Messages }}"),
            ("/show", "Available Commands:\r\n  /show info "),
            ("/show nonsense", "Unknown command '/show nonsense'. Type /? for help\r\n"),
        ),
        (
            ("/set think", "Set 'think' mode.\r\n"),
            ("hm", f'Error: "{ECHO}" does not support thinking\r\n'),
            ("/set nothink", "Set 'nothink' mode.\r\n"),
            ("hello", "hello\r\n\r\n"),
            ("/set nonsense", "Unknown command '/set nonsense'. Type /? for help\r\n"),
        ),
        (
            ("/save kept", "Created new model 'kept'\r\n"),
            ("/load kept", "Loading model 'kept'\r\n"),
            ("/load nothing", "Couldn't find model 'nothing'\r\n"),
            ("/list", "kept:latest "),
            ("/clear", "Cleared session context\r\n"),
            ("/load", "Usage:\r\n  /load <modelname>\r\n"),
        ),
        (
            ("/?", "Available Commands:\r\n  /set "),
            ("/help set", "  /set parameter ... "),
            ("/? shortcuts", "Available keyboard shortcuts:\r\n"),
            ("/dance", "Unknown command '/dance'. Type /? for help\r\n"),
        ),
    ],
    ids=["parameter", "system", "format", "display", "show", "think", "models", "help"],
)
def test_slash_commands(terminal, lines: tuple[tuple[str, str], ...]):
    chat = terminal()
    for line, answer in lines:
        chat.say(line, answer)
        chat.wait_for(PROMPT)
    assert chat.leave("/exit\r") == 0


def test_the_history_outlives_the_chat(terminal, tmp_path: Path):
    first = terminal()
    first.say("remember me", "remember me\r\n\r\n")
    assert first.leave() == 0
    second = terminal()
    second.type(f"{UP}{UP}\r")
    second.wait_for("remember me\r\n\r\n")
    second.say("/set nohistory", PROMPT)
    second.say("forget me", "forget me\r\n\r\n")
    assert second.leave() == 0
    lines = (tmp_path / ".ollama" / "history").read_text().splitlines()
    assert lines == ["remember me", "/bye", "remember me", "/set nohistory"]


def test_without_history_nothing_is_kept(terminal, tmp_path: Path):
    chat = terminal(OLLAMA_NOHISTORY="1")
    chat.say("secret", "secret\r\n\r\n")
    assert chat.leave() == 0
    assert not (tmp_path / ".ollama").exists()


def test_ctrl_g_opens_ollamas_editor(terminal, tmp_path: Path):
    editor = tmp_path / "editor"
    editor.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[1], 'w').write('written there')\n")
    editor.chmod(0o755)
    chat = terminal(OLLAMA_EDITOR=str(editor), VISUAL="false", EDITOR="false")
    chat.type("\x07")
    chat.wait_for("written there")
    chat.say("", "written there\r\n\r\n")


def test_earlier_messages_of_the_model_are_shown_again(client: Client):
    messages = (Message("system", "Be kind."), Message("user", "first"), Message("assistant", "second"))
    list(client.create(CreateBody("talked", from_=ECHO, messages=messages)))
    again = Terminal(client.url, Path.cwd(), "run", "talked")
    try:
        assert "Be kind." not in again.wait_for(">>> first\r\nsecond\r\n\r\n>>> ")
    finally:
        again.close()


def test_pictures_are_attached(terminal, vision_server, tmp_path: Path):
    (tmp_path / "my cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "no cat.png").write_bytes(b"nothing")
    chat = terminal("m", url=vision_server.url)
    chat.say("look at './no cat.png'", "Error: './no cat.png' is no PNG")
    chat.wait_for(PROMPT)
    chat.say(r"what is ./my\ cat.png", "Added image './my cat.png'\r\n")
    chat.wait_for("a cat\r\n\r\n")
    message = vision_server.requests["/api/chat"][-1]["messages"][-1]
    assert message == {"role": "user", "content": "what is", "images": ["iVBORw0KGgo="]}
