import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from camelid.cli.client import Client
from camelid.cli.messages import CreateBody

ECHO = "camelid/echo"
SLOW = "slow"


@pytest.fixture
def slow(client: Client) -> str:
    """A model that takes a while for each byte."""
    list(client.create(CreateBody(SLOW, from_=ECHO, parameters={"backend_options": {"delay": 0.05}})))
    return SLOW


def test_the_answer_is_printed(camelid, server: str):
    run = camelid("run", ECHO, "hello", "world", OLLAMA_HOST=server)
    assert (run.returncode, run.stdout, run.stderr) == (0, "hello world\n\n", "")


def test_stdin_goes_before_the_prompt(camelid, server: str):
    assert camelid("run", ECHO, "what?", stdin="piped\n", OLLAMA_HOST=server).stdout == "piped\n what?\n\n"
    assert camelid("run", ECHO, stdin="alone", OLLAMA_HOST=server).stdout == "alone\n\n"


def test_arguments_need_not_be_utf_8(camelid, server: str):
    asked = camelid("run", ECHO, "a\udcffb", OLLAMA_HOST=server)
    assert (asked.returncode, asked.stdout) == (0, "a\ufffdb\n\n")
    shown = camelid("show", "a\udcffb", OLLAMA_HOST=server)
    assert (shown.returncode, shown.stderr) == (1, "Error: invalid model name\n")


def test_empty_flags_say_nothing(camelid, server: str):
    flags = ("--keepalive", "", "--format", "", "--think=false")
    assert camelid("run", ECHO, "hello", *flags, OLLAMA_HOST=server).stdout == "hello\n\n"


def test_nothing_to_ask_loads_the_model(camelid, server: str, client: Client):
    run = camelid("run", ECHO, OLLAMA_HOST=server)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert f"{ECHO}:latest" in [model.name for model in client.running()]


def test_verbose_prints_timings_on_stderr(camelid, server: str):
    run = camelid("run", ECHO, "hello", "--verbose", OLLAMA_HOST=server)
    assert run.stdout == "hello\n\n"
    names = [line.partition(":")[0] for line in run.stderr.splitlines()]
    assert names[0] == "total duration"
    assert "eval rate" in names


def test_keepalive_is_passed_on(camelid, server: str):
    camelid("run", ECHO, "hello", "--keepalive", "-1s", OLLAMA_HOST=server)
    assert camelid("ps", OLLAMA_HOST=server).stdout.splitlines()[1].endswith("Forever")


def test_the_backend_is_passed_on_and_shown(camelid, server: str):
    assert camelid("run", ECHO, "hello", "--backend", "echo", OLLAMA_HOST=server).stdout == "hello\n\n"
    refused = camelid("run", ECHO, "hello", "--backend", "parrot", OLLAMA_HOST=server)
    assert refused.returncode == 1
    assert "there is no backend 'parrot'; backends that can: echo" in refused.stderr
    row = next(line for line in camelid("ps", "--backends", OLLAMA_HOST=server).stdout.splitlines() if ECHO in line)
    assert row.split()[:2] == [f"{ECHO}:latest", "echo"]
    page = camelid("show", ECHO, OLLAMA_HOST=server).stdout
    assert "  Backend\n    name       echo\n    because    no other backend reads echo\n" in page


def test_thinking_that_the_model_cannot_do_is_the_servers_error(camelid, server: str):
    run = camelid("run", "--think", ECHO, "hello", OLLAMA_HOST=server)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f'Error: "{ECHO}" does not support thinking\n'


def test_a_missing_model_is_pulled_first(camelid, server: str, client: Client):
    client.delete(ECHO)
    run = camelid("run", ECHO, "hello", OLLAMA_HOST=server)
    assert (run.returncode, run.stdout) == (0, "hello\n\n")
    assert run.stderr.splitlines()[0] == "pulling manifest"
    assert run.stderr.splitlines()[-1] == "success"


def test_a_model_nobody_has_is_an_error(camelid, server: str):
    run = camelid("run", "nobody/nothing", "hello", OLLAMA_HOST=server)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-1].startswith("Error: pull model manifest")


def test_ctrl_c_stops_the_answer_and_exits_with_130(server: str, slow: str, tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "camelid", "run", slow, "word " * 200],
        env={**os.environ, "OLLAMA_HOST": server, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert first == b"word "
    assert len(rest) < 900
    assert b"Traceback" not in errors


def test_without_a_server_one_is_started_for_the_call(camelid):
    run = camelid("run", ECHO, "hello")
    assert (run.returncode, run.stdout) == (0, "hello\n\n")


def test_no_server_is_started_for_another_machine(camelid):
    run = camelid("run", ECHO, "hello", OLLAMA_HOST="elsewhere.invalid")
    assert run.returncode == 1
    assert "could not connect to a camelid server at http://elsewhere.invalid:11434" in run.stderr


def test_an_embedded_server_that_cannot_start_says_why(camelid):
    run = camelid("run", ECHO, "hello", CAMELID_PLACEMENT="on-the-moon")
    assert run.returncode == 1
    assert "on-the-moon" in run.stderr


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `run` with its own server, whose answer takes long."""
    environment = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1", "OLLAMA_MODELS": str(tmp_path), "HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "camelid", "run", ECHO, "word " * 1500],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_kill_9_takes_the_embedded_server_and_its_worker_with_it(embedded: subprocess.Popen[bytes]):
    assert embedded.stdout is not None
    embedded.stdout.read(1)
    children = psutil.Process(embedded.pid).children(recursive=True)
    assert len(children) >= 2
    embedded.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
