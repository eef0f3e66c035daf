"""The official clients for JavaScript against a real server: the scenarios in `javascript/`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parent / "javascript"
TOOLED = (
    "{{ .Tools }}{{ range .Messages }}{{ .Role }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
    "{{ if .ToolCalls }}<tool_call>{{ range .ToolCalls }}{{ .Function }}{{ end }}</tool_call>{{ end }}"
    "<|turn|>{{ .Content }}{{ end }}<|answer|>"
)


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: install Node.js 18 or later with npm (Debian: apt-get install nodejs npm)"
    return found


@pytest.fixture(scope="module")
def folder(request) -> Path:
    """Where the clients are installed; kept for later runs, until another version is wanted."""
    place = Path(request.config.cache.mkdir("ollama-javascript"))
    for file in SCENARIOS.iterdir():
        if file.is_file():
            shutil.copy(file, place)
    wanted = (SCENARIOS / "package.json").read_text()
    installed = place / "installed.json"
    if not installed.exists() or installed.read_text() != wanted:
        command = [_program("npm"), "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, f"npm could not install the clients:\n{done.stdout}{done.stderr}"
        installed.write_text(wanted)
    return place


@pytest.mark.parametrize("scenarios", ["scenarios.test.mjs", "openai.test.mjs", "anthropic.test.mjs"])
def test_scenarios(server, folder, scenarios):
    server.post("/api/pull", model="camelid/echo", stream=False).raise_for_status()
    created = {"model": "tooled", "from": "camelid/echo", "template": TOOLED, "stream": False}
    server.post("/api/create", **created).raise_for_status()
    done = subprocess.run(
        [_program("node"), "--test", "--test-reporter=spec", scenarios],
        cwd=folder,
        env={**os.environ, "OLLAMA_HOST": server.url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pass 0" not in done.stdout
