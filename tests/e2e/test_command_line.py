"""The command line and the real model, and the settings that only a real runtime feels."""

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

MODEL = "smollm2:135m"
SECONDS = 100
_ON_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from camelid.cli import main; main()"


def camelid(server, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "camelid", *arguments],
        env={**os.environ, "OLLAMA_HOST": server.url},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


class Chat:
    """`camelid run` on a terminal."""

    def __init__(self, server, home: Path) -> None:
        self.fd, inner = pty.openpty()
        termios.tcsetwinsize(inner, (24, 100))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, "run", MODEL],
            env={**os.environ, "OLLAMA_HOST": server.url, "HOME": str(home), "TERM": "xterm"},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until the text shows up; return what stood before it."""
        while text not in self.screen:
            assert select.select([self.fd], [], [], SECONDS)[0], f"waiting for {text!r}, saw {self.screen!r}"
            self.screen += os.read(self.fd, 4096).decode("utf-8", "replace")
            if "\x1b[6n" in self.screen:  # prompt_toolkit asks where the cursor is
                self.screen = self.screen.replace("\x1b[6n", "")
                self.type("\x1b[1;1R")
        before, _, self.screen = self.screen.partition(text)
        return before


@pytest.fixture
def chat(server, tmp_path) -> Iterator[Chat]:
    chat = Chat(server, tmp_path)
    chat.wait_for("Send a message")
    yield chat
    chat.process.kill()
    chat.process.wait()
    os.close(chat.fd)


def test_a_question_in_a_pipe(server):
    sure = server.post("/api/create", model="sure", parameters={"temperature": 0}, stream=False, **{"from": MODEL})
    assert sure.json() == {"status": "success"}, sure.text
    run = camelid(server, "run", "sure", "--verbose", "What is the capital of France?", stdin="Answer in a word.")
    assert run.returncode == 0
    assert "Paris" in run.stdout
    assert [line.partition(":")[0] for line in run.stderr.splitlines()][-1] == "eval rate"


def test_json_mode(server):
    # A small model may go on and on with its object.
    short = {"num_predict": 40, "temperature": 0}
    made = server.post("/api/create", model="short", parameters=short, stream=False, **{"from": MODEL})
    assert made.json() == {"status": "success"}, made.text
    run = camelid(server, "run", "short", "--format", "json", "Describe a cat as JSON with name and age.")
    assert run.returncode == 0
    assert run.stdout.lstrip().startswith("{")


def test_a_chat_remembers_and_can_be_interrupted(chat: Chat, server):
    story = '{"type":"object","properties":{"story":{"type":"string","minLength":9000}},"required":["story"]}'
    chat.type(f"/set format {story}\r")
    chat.wait_for("Set format to 'JSON schema' mode.")
    chat.type("Tell me a long story.\r")
    chat.wait_for('"story"')
    chat.type("\x03")
    chat.wait_for(">>> ")
    chat.type("/save told\r")
    chat.wait_for("Created new model 'told'")
    messages = server.post("/api/show", model="told").json()["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert '"story"' in messages[1]["content"]
    assert len(messages[1]["content"]) < 9000
    chat.type("\x04")
    assert chat.process.wait(SECONDS) == 0


def test_doctor_knows_the_server(server):
    run = camelid(server, "doctor")
    assert f"answers at {server.url}" in run.stdout
    assert "backend llamacpp (gguf)" in run.stdout


def loaded_size(server) -> int:
    """Bytes of the model with 8192 tokens of context, as `ps` tells them."""
    answer = server.post("/api/generate", model=MODEL, options={"num_ctx": 8192})
    assert answer.status_code == 200, answer.text
    return server.http.get("/api/ps").json()["models"][0]["size"]


def test_kv_cache_type_makes_the_cache_smaller(start_server):
    server = start_server(OLLAMA_NUM_PARALLEL="1")
    server.pull()
    usual = loaded_size(server)
    server.stop()
    smaller = start_server(OLLAMA_NUM_PARALLEL="1", OLLAMA_KV_CACHE_TYPE="q8_0", OLLAMA_FLASH_ATTENTION="1")
    assert loaded_size(smaller) < usual - 50_000_000


def test_flash_attention_off_leaves_no_quantized_cache(start_server):
    server = start_server(OLLAMA_KV_CACHE_TYPE="q8_0", OLLAMA_FLASH_ATTENTION="0")
    server.pull()
    assert server.post("/api/generate", model=MODEL).status_code == 500
    assert server.http.get("/api/ps").json() == {"models": []}


@pytest.mark.parametrize(("variable", "jinja"), [("1", False), ("0", True)])
def test_go_template_says_which_template_is_used(start_server, variable: str, jinja: bool):
    server = start_server(OLLAMA_GO_TEMPLATE=variable)
    server.pull()
    template = "{{ range .Messages }}{{ .Content }}{{ end }}"
    server.post("/api/create", **{"model": "both", "from": MODEL, "template": template, "stream": False})
    chat = server.post(
        "/api/chat",
        model="both",
        messages=[{"role": "user", "content": "hi"}],
        stream=False,
        options={"num_predict": 1},
    )
    assert (chat.json()["prompt_eval_count"] > 10) == jinja
