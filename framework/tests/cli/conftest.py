"""Commands as a shell would start them, and a real server with the echo model for them to talk to."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from camelid.cli import main
from camelid.cli.client import Client
from camelid.cli.embedded import embedded_server

ECHO = "camelid/echo"
SECONDS = 60


class Run(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Camelid = Callable[..., Run]


def environment(home: Path, **changes: str) -> dict[str, str]:
    """This process's environment without its settings, with a home folder of its own, and no server to talk to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OLLAMA_", "CAMELID_"))}
    own = {"HOME": str(home), "OLLAMA_MODELS": str(home / "models"), "OLLAMA_HOST": "127.0.0.1:1", "COLUMNS": "100"}
    return {**kept, **own, **changes}


def _stream(content: bytes = b"") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def camelid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Camelid:
    """Run a command in this process, from its arguments to its exit status."""

    def run(*arguments: str, stdin: str = "", cwd: Path = tmp_path, **changes: str) -> Run:
        output, errors = _stream(), _stream()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["camelid", *arguments])
            patch.setattr(sys, "stdin", _stream(stdin.encode()))
            patch.setattr(sys, "stdout", output)
            patch.setattr(sys, "stderr", errors)
            patch.chdir(cwd)
            for name in os.environ.keys() - environment(tmp_path).keys():
                patch.delenv(name)
            for name, value in environment(tmp_path, **changes).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        return Run(int(ended.value.code or 0), _written(output), _written(errors))

    return run


@pytest.fixture
def camelid_process(tmp_path: Path) -> Camelid:
    """Run a command in a process of its own: for commands that change their process."""

    def run(*arguments: str, **changes: str) -> Run:
        ended = subprocess.run(
            [sys.executable, "-m", "camelid", *arguments],
            env=environment(tmp_path, **changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server that holds the echo model."""
    with pytest.MonkeyPatch.context() as patch:
        only_here = {"CAMELID_DISABLED_PLUGINS": "huggingface,ollama-registry,web"}  # no test asks another machine
        for name, value in environment(tmp_path_factory.mktemp("home"), **only_here).items():
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


class Scripted:
    """A server of this API that says what it is told to and remembers what it was asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.requests: dict[str, list[dict[str, object]]] = {}
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"] or 0))
                scripted.requests.setdefault(self.path, []).append(json.loads(content or "{}"))
                answer = answers.get(self.path)
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else answer or b"")

            do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def scripted() -> Iterator[Callable[[dict[str, bytes]], Scripted]]:
    """Start such servers."""
    servers: list[Scripted] = []

    def start(answers: dict[str, bytes]) -> Scripted:
        servers.append(Scripted(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def vision_server(scripted: Callable[[dict[str, bytes]], Scripted]) -> Scripted:
    """One whose model sees a cat in everything."""
    return scripted(
        {
            "/": b"",
            "/api/show": b'{"capabilities":["completion","vision"]}',
            "/api/generate": b'{"response":"a cat","done":true}\n',
            "/api/chat": b'{"message":{"role":"assistant","content":"a cat"},"done":true}\n',
        }
    )
