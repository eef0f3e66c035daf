"""The upstream in these tests is a real Camelid, in a process of its own; for what it never does wrong there is a
loopback server."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest

from camelid import EngineEvent, EngineRequest
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid.types.options import SamplingOptions
from camelid_upstream.backend import ByteTokenizer, UpstreamModel
from camelid_upstream.engine import UpstreamEngine

MODELS = ("camelid/echo", "smollm2:135m")


class RunningServer(NamedTuple):
    """A `camelid serve`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@contextmanager
def running_server(folder: Path, **environment: str) -> Iterator[RunningServer]:
    """A server on a free port, which ends with this context, if nobody ended it before."""
    command = [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes"]
    settings = {"CAMELID_SPARE_WORKER": "false", "OLLAMA_MODELS": str(folder / "models"), **environment}
    log = folder / "server.log"
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **settings},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            assert line.startswith("listening on http://"), f"{line!r}\n{log.read_text()}"
            yield RunningServer(process, line.split()[-1], log)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(20)
            finally:
                process.kill()


@pytest.fixture(scope="session")
def slow() -> dict[str, object]:
    """The request that makes a model which says what it was told, a hundred bytes a second."""
    parameters = {"backend_options": {"delay": 0.01}}
    return {"model": "slow", "from": "camelid/echo", "parameters": parameters, "stream": False}


@pytest.fixture(scope="session")
def serve(tmp_path_factory) -> Callable[..., object]:
    """Run servers of one's own."""
    return lambda **environment: running_server(tmp_path_factory.mktemp("server"), **environment)


@pytest.fixture(scope="session", autouse=True)
def upstream(serve, slow) -> Iterator[RunningServer]:
    """A Camelid that has some models; the variable `UPSTREAMS` calls it `lab`."""
    with serve(OLLAMA_NUM_PARALLEL="4") as server, pytest.MonkeyPatch.context() as patch:
        for model in MODELS:
            pulled = httpx.post(f"{server.url}/api/pull", json={"model": model, "stream": False}, timeout=60)
            assert pulled.json() == {"status": "success"}, pulled.text
        made = httpx.post(f"{server.url}/api/create", json=slow, timeout=60)
        assert made.json() == {"status": "success"}, made.text
        patch.setenv("UPSTREAMS", f"lab={server.url}")
        yield server


def model_of(folder: Path, model: str, **fields: object) -> ModelArtifact:
    """A model of the upstream `lab`, as it is stored."""
    path = folder / "model.json"
    file = {"camelid_backend": "upstream", "upstream": "lab", "model": model, "accepts": ["raw", "options"], **fields}
    path.write_bytes(msgspec.json.encode(file))
    return ModelArtifact(name="far", format="upstream", files=(ModelFile(path=str(path)),))


class Driver:
    """An engine, and the worker's part."""

    def __init__(self, artifact: ModelArtifact, **options: object) -> None:
        self.model = UpstreamModel(artifact, LoadOptions(context_length=2048, parallel=2, backend=options))
        self.engine = UpstreamEngine(self.model)
        self.tokenizer = ByteTokenizer()

    def submit(self, number: int, prompt: str, **sampling: object) -> None:
        tokens = self.tokenizer.encode(prompt, add_special=True, parse_special=True)
        self.engine.submit(EngineRequest(number, tuple(tokens), SamplingOptions(**sampling)))

    def until(self, reached: Callable[[EngineEvent], object]) -> list[EngineEvent]:
        """Step until an event is what is waited for, or nothing is open; all events on the way."""
        seen: list[EngineEvent] = []
        while self.engine.busy and not any(map(reached, seen)):
            seen += self.engine.step()
        return seen

    def finish(self) -> dict[int, EngineEvent]:
        """Step until nothing is open; the last event of each request, with all of its tokens."""
        last: dict[int, EngineEvent] = {}
        for event in self.until(lambda event: False):
            before = last[event.id].tokens if event.id in last else b""
            last[event.id] = EngineEvent(
                event.id, bytes(before) + bytes(event.tokens), finish=event.finish, error=event.error
            )
        return last


@pytest.fixture
def drive(tmp_path) -> Iterator[Callable[..., Driver]]:
    """Load a model of the upstream `lab`; the engine is closed after the test."""
    drivers: list[Driver] = []

    def load(model: str = "camelid/echo", *, options: dict[str, object] | None = None, **fields: object) -> Driver:
        drivers.append(Driver(model_of(tmp_path, model, **fields), **(options or {})))
        return drivers[-1]

    yield load
    for driver in drivers:
        driver.engine.close()
