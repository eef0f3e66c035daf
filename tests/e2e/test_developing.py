"""What somebody who develops a plugin relies on: edits, traces, a debugger, and a word about versions."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

MODEL = "camelid/echo"
BACKEND = "backends/camelid-echo/src/camelid_echo"


class EchoSource:
    """A copy of the echo backend that goes before the installed one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._source = Path(__file__).parents[2] / BACKEND
        shutil.copytree(self._source, folder / "camelid_echo", ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, file: str, old: str, new: str) -> int:
        """Replace a piece of a file as it was at first. The number of the line where it stands."""
        text = (self._source / file).read_text()
        assert old in text
        (self.path / "camelid_echo" / file).write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def restore(self, file: str) -> None:
        shutil.copy(self._source / file, self.path / "camelid_echo" / file)


@pytest.fixture
def echo(tmp_path) -> EchoSource:
    return EchoSource(tmp_path / "src")


def ask(server, **more):
    return server.post("/api/generate", model=MODEL, prompt="hello", stream=False, **more).json()


BYTES = "return bytes((token,)) if token < BEGIN"


@pytest.mark.parametrize("placement", ["process", "in-process"])
def test_an_edited_backend_answers_with_its_new_code(start_server, echo, placement):
    server = start_server(
        PYTHONPATH=str(echo.path),
        CAMELID_RELOAD_PLUGINS="true",
        CAMELID_PLACEMENT=placement,
        CAMELID_SPARE_WORKER="true",
    )
    server.pull(MODEL)
    assert ask(server)["response"] == "hello"
    # Edits within a second, one of them of the same size: nothing compiled before may be believed.
    echo.edit("backend.py", BYTES, BYTES.replace("(token,)", "(token ^ 32,)"))
    assert ask(server)["response"] == "HELLO"
    echo.edit("backend.py", BYTES, BYTES.replace("(token,)", "(token ^ 01,)".replace("01", "16")))
    assert ask(server)["response"] == "xu||\x7f"
    assert "the plugin echo was edited and is loaded" in server.log.read_text()

    line = echo.edit("backend.py", BYTES, "return bytes((token,) if token < BEGIN")
    error = ask(server)["error"]
    assert "camelid-echo" in error
    assert f"SyntaxError in backend.py, line {line}" in error

    echo.restore("backend.py")
    echo.edit("plugin.py", "CAMELID_API = 1", "CAMELID_API = = 1")
    error = ask(server)["error"]
    assert error.startswith("the plugin echo was edited and is broken: camelid-echo cannot be imported")
    assert re.search(r"SyntaxError: .*\(plugin\.py, line \d+\)", error)
    assert server.http.get("/api/health").json()["plugins_broken"] == 1

    echo.restore("plugin.py")
    assert ask(server)["response"] == "hello"
    assert server.http.get("/api/health").json()["plugins_broken"] == 0


def test_an_edit_ends_the_quarantine_of_what_crashed(start_server, echo):
    load = "    return EchoModel(artifact, options)"
    echo.edit("plugin.py", load, "    import os\n\n    os.abort()\n" + load)
    server = start_server(PYTHONPATH=str(echo.path), CAMELID_RELOAD_PLUGINS="true")
    server.pull(MODEL)
    for _ in range(3):
        assert "unexpectedly stopped" in ask(server)["error"]
    assert "died 3 times within 60 seconds" in ask(server)["error"]
    echo.restore("plugin.py")
    assert ask(server)["response"] == "hello"


def test_an_edit_waits_for_the_answers_that_are_being_given(start_server, echo):
    server = start_server(PYTHONPATH=str(echo.path), CAMELID_RELOAD_PLUGINS="true")
    server.pull(MODEL)
    slow = {"backend_options": {"delay": 0.02}}
    body = {"model": MODEL, "prompt": "word " * 10, "options": slow}
    with server.http.stream("POST", "/api/generate", json=body) as old:
        lines = old.iter_lines()
        first = next(lines)
        echo.edit("backend.py", BYTES, BYTES.replace("(token,)", "(token ^ 32,)"))
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(ask(server, options=slow)["response"]))
        asking.start()
        answered = "".join(json.loads(line)["response"] for line in (first, *lines))
        asking.join()
    assert answered == "word " * 10
    assert answers == ["HELLO"]


def test_without_the_setting_an_edit_changes_nothing_in_memory(start_server, echo):
    server = start_server(PYTHONPATH=str(echo.path))
    server.pull(MODEL)
    assert ask(server)["response"] == "hello"
    echo.edit("backend.py", BYTES, BYTES.replace("(token,)", "(token ^ 32,)"))
    assert ask(server)["response"] == "hello"


def test_hook_calls_of_server_and_worker_are_traced(start_server):
    server = start_server(CAMELID_TRACE_PLUGINS="1", OLLAMA_DEBUG="0")
    server.pull(MODEL)
    assert ask(server)["response"] == "hello"
    log = server.log.read_text()
    assert re.search(r"echo: camelid_backends\(register=.*\)\n", log)
    assert re.search(r"echo: camelid_backends -> .* in \d+\.\d+ ms", log)
    assert re.search(r"echo: camelid_load_model\(artifact=ModelArtifact\(name='camelid/echo:latest'", log)
    assert re.search(r"echo: camelid_load_model -> <.*EchoModel.*> in \d+\.\d+ ms", log)


def test_a_plugin_for_another_version_is_refused_with_the_package_to_upgrade(start_server, echo):
    echo.edit("plugin.py", "CAMELID_API = 1", "CAMELID_API = 2")
    run = subprocess.run(
        [sys.executable, "-m", "camelid", "plugins"],
        env={**os.environ, "PYTHONPATH": str(echo.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    row = next(line for line in run.stdout.splitlines() if line.startswith("echo "))
    refusal = (
        "camelid-echo was written for version 2 of the plugin API and this is version 1; "
        "upgrade camelid: pip install --upgrade camelid"
    )
    assert "broken" in row
    assert row.endswith(refusal)
    server = start_server(PYTHONPATH=str(echo.path))
    assert server.http.get("/api/health").json()["plugins_broken"] == 1
    assert f"plugin echo is broken: {refusal}" in server.log.read_text()


class Terminal:
    """A server at a terminal of its own, and what stands on it."""

    def __init__(self, models: Path, **environment: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "OLLAMA_MODELS": str(models), **environment},
        )
        os.close(slave)
        self.text = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Wait until something stands on the terminal after what was found before."""
        until = time.monotonic() + 60
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < until, self.text
            if select.select([self._master], [], [], 1)[0]:
                self.text += os.read(self._master, 65536).decode()
        self.text = self.text[found.end() :]
        return found

    def write(self, line: str) -> None:
        os.write(self._master, line.encode() + b"\n")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            os.close(self._master)


def test_a_debugger_stops_in_a_backend_that_runs_in_process(tmp_path, echo):
    load = "    return EchoModel(artifact, options)"
    echo.edit("plugin.py", load, "    breakpoint()\n" + load)
    terminal = Terminal(
        tmp_path / "models", PYTHONPATH=str(echo.path), CAMELID_PLACEMENT="in-process", CAMELID_RELOAD_PLUGINS="true"
    )
    try:
        url = terminal.read_until(r"listening on (http://[\w.:]+)")[1]
        answers: list[str] = []
        with httpx.Client(base_url=url, timeout=100) as http:
            http.post("/api/pull", json={"model": MODEL, "stream": False}).raise_for_status()
            body = {"model": MODEL, "prompt": "hello", "stream": False}
            asking = threading.Thread(
                target=lambda: answers.append(http.post("/api/generate", json=body).json()["response"])
            )
            asking.start()
            terminal.read_until(r"\(Pdb\) ")
            # The debugger has one request; the server serves the others.
            assert http.get("/api/version").status_code == 200
            terminal.write("p artifact.name, 6 * 7")
            terminal.read_until(r"\('camelid/echo:latest', 42\)")
            terminal.write("continue")
            asking.join(60)
        assert answers == ["hello"]
    finally:
        terminal.close()
