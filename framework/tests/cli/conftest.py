"""Commands as a shell would start them, and a real server with the echo model for them to talk to."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from camelid.cli.client import Client
from camelid.cli.embedded import embedded_server

ECHO = "camelid/echo"
SECONDS = 60

Camelid = Callable[..., subprocess.CompletedProcess[str]]


def environment(home: Path, **changes: str) -> dict[str, str]:
    """This process's environment without its settings, and with a home folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OLLAMA_", "CAMELID_"))}
    return {**kept, "HOME": str(home), "OLLAMA_MODELS": str(home / "models"), "COLUMNS": "100", **changes}


@pytest.fixture
def camelid(tmp_path: Path) -> Camelid:
    """Run a command; nobody listens at its OLLAMA_HOST unless it is told another one."""

    def run(*arguments: str, stdin: str = "", cwd: Path = tmp_path, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "camelid", *arguments],
            env=environment(tmp_path, **{"OLLAMA_HOST": "127.0.0.1:1", **changes}),
            input=stdin,
            cwd=cwd,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server that holds the echo model."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(tmp_path_factory.mktemp("home")).items():
            patch.setenv(name, value)
        with embedded_server() as url:
            with Client(url) as client:
                list(client.pull(ECHO))
            yield url


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    """A client of that server."""
    with Client(server) as connected:
        yield connected
