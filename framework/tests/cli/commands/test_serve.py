import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from camelid.cli.client import Client
from camelid.cli.commands.serve import _wanted_plugins


def serve(tmp_path: Path, *flags: str, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes", *flags],
        env={**os.environ, "OLLAMA_MODELS": str(tmp_path), "HOME": str(tmp_path), **changes},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_one_line_on_stdout_says_where_it_listens(tmp_path: Path):
    process = serve(tmp_path)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    with Client(line.split()[-1]) as client:
        assert client.models() == ()
    rest, _ = process.communicate(timeout=30)
    assert (rest, process.returncode) == ("", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_in_order(tmp_path: Path, number: signal.Signals):
    process = serve(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(30) == 0
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors


def test_a_port_in_use_is_one_sentence(camelid_process, server: str):
    run = camelid_process("serve", "--host", server.removeprefix("http://"))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("Error: 127.0.0.1:")
    assert "is in use" in run.stderr


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--keep-alive", "soon"), "Error: --keep-alive must be seconds, or a duration"),
        (("--host", "x:99999"), "the port in the address 'x:99999' must be a number"),
        (("--placement", "on-the-moon"), "on-the-moon"),
    ],
)
def test_wrong_settings_end_it(camelid_process, flags: tuple[str, ...], text: str):
    run = camelid_process("serve", *flags)
    assert run.returncode == 1
    assert text in run.stderr


def test_plugins_can_be_chosen_and_left_out():
    assert _wanted_plugins(()) == (None, None)
    assert _wanted_plugins(("echo", "no:llamacpp", "packaged")) == (("echo", "packaged"), ("llamacpp",))
