"""A real server, in a process of its own, as a user would start it; shared by the tests across packages."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from camelid.testing.loopback import LoopbackServer, Reply, Request

MODEL = "smollm2:135m"


class EmptyRegistry(LoopbackServer):
    """Knows no model."""

    def respond(self, request: Request) -> Reply:
        return Reply(404)


@pytest.fixture(scope="session", autouse=True)
def _nobody_is_asked() -> Iterator[None]:
    """What names without a host stand for is asked of a registry on this machine, which has nothing."""
    with EmptyRegistry() as registry, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMELID_REGISTRY_MIRRORS", f"registry.ollama.ai=http://{registry.host}")
        yield


class Server:
    """`camelid serve` on a free port, of the loopback interface unless `address` says otherwise."""

    def __init__(
        self,
        models: Path,
        log: Path,
        *,
        within: Sequence[str] = (),
        address: str = "127.0.0.1",
        python: str | Path = sys.executable,
        **environment: str,
    ) -> None:
        """Start it; `within` is a command that is given the server's command to run, `python` what runs both."""
        self.models = models
        self.log = log
        serve = [str(python), "-m", "camelid", "serve", "--host", f"{address}:0", "--until-stdin-closes"]
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*within, *serve],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                # A worker that waits would be one more process than most tests count, and one more to start.
                env={**os.environ, "CAMELID_SPARE_WORKER": "false", "OLLAMA_MODELS": str(models), **environment},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on http://"):
            self._end()
            raise AssertionError(f"{line!r}\n{log.read_text()}")
        self.url = line.split()[-1]
        self.http = httpx.Client(base_url=self.url, timeout=100)

    def post(self, path: str, **body: object) -> httpx.Response:
        return self.http.post(path, json=body)

    def pull(self, model: str = MODEL) -> None:
        answer = self.post("/api/pull", model=model, stream=False)
        assert answer.json() == {"status": "success"}, answer.text

    def workers(self) -> list[psutil.Process]:
        """The processes that hold models, the oldest first."""
        children = psutil.Process(self.process.pid).children()
        return sorted((child for child in children if _is_worker(child)), key=lambda child: child.create_time())

    def stop(self) -> None:
        self.http.close()
        self._end()

    def _end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return "camelid.worker" in process.cmdline()
    return False


@contextmanager
def _running(folder: Path, **environment: str) -> Iterator[Server]:
    server = Server(folder / "models", folder / "server.log", **environment)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server that has the real model and room for four sequences; shared by the tests of a file."""
    with _running(tmp_path_factory.mktemp("server"), OLLAMA_NUM_PARALLEL="4") as running:
        running.pull()
        yield running


@pytest.fixture(scope="session")
def run_server() -> Iterator[Callable[..., Server]]:
    """Start servers that run until all tests are done, each in a folder of its own."""
    servers: list[Server] = []

    def start(folder: Path, *, python: str | Path = sys.executable, **settings: str) -> Server:
        servers.append(Server(folder / "models", folder / "server.log", python=python, **settings))
        return servers[-1]

    yield start
    for running in servers:
        running.stop()


@pytest.fixture
def start_server(tmp_path) -> Iterator[Callable[..., Server]]:
    """Start servers of one's own, with settings as environment variables."""
    servers: list[Server] = []

    def start(*, within: Sequence[str] = (), **environment: str) -> Server:
        servers.append(Server(tmp_path / "models", tmp_path / "server.log", within=within, **environment))
        return servers[-1]

    yield start
    for running in servers:
        running.stop()


@pytest.fixture(scope="session")
def run() -> Callable[..., str]:
    """Runs a command that must succeed; standard output of it."""

    def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
