"""The whole command on a terminal of its own."""

import os
import pty
import subprocess
import sys
from pathlib import Path


class Terminal:
    """What a person sees and types."""

    def __init__(self, server: str, home: Path, *arguments: str) -> None:
        self.screen = ""
        self.fd, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "camelid", *arguments],
            env={**os.environ, "OLLAMA_HOST": server, "HOME": str(home), "TERM": "xterm-256color"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)

    def wait_for(self, text: str) -> None:
        """Read until `text` shows up after what was waited for before."""
        while text not in self.screen:
            self.screen += os.read(self.fd, 4096).decode("utf-8", "replace")
            if "\x1b[6n" in self.screen:  # prompt_toolkit asks where the cursor is
                self.screen = self.screen.replace("\x1b[6n", "")
                self.type("\x1b[1;1R")
        self.screen = self.screen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())


def test_a_chat_from_prompt_to_bye(server: str, tmp_path: Path):
    terminal = Terminal(server, tmp_path, "run", "camelid/echo")
    terminal.wait_for("Send a message")
    terminal.type("knock knock\r")
    terminal.wait_for("knock knock\r\n")
    terminal.wait_for(">>> ")
    terminal.type("/bye\r")
    assert terminal.process.wait(30) == 0
    os.close(terminal.fd)
    assert (tmp_path / ".ollama" / "history").read_text() == "knock knock\n/bye\n"
