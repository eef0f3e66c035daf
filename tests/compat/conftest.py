"""Exchanges: requests and the answers they must get, as data (see README.md), and the servers they are sent to."""

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import gguf
import msgspec
import pytest

FOLDER = Path(__file__).parent
MODEL = "smollm2:135m"


class Step(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One request and its answer."""

    send: str
    """`METHOD /path`."""
    headers: dict[str, str] = {}
    body: str = ""
    """As it is sent."""
    body_hex: str = ""
    """The same, for bytes that are no text."""
    client: Literal["reads", "stays", "waits", "leaves"] = "reads"
    """`stays`: reads the first line, and keeps the stream open until the exchange ends; `waits`: the same, but reads
    nothing; `leaves`: hangs up a moment after the request. What is said of the answer counts for `reads` alone."""
    status: int = 200
    type: str | None = None
    """The answer's Content-Type; empty: it has none."""
    answer_headers: dict[str, list[str]] = {}
    """Each name with all its values, none of them if it must not be there."""
    answer: str | None = None
    """Pattern of the whole body."""
    has: list[str] = []
    """Patterns that are found in the body."""
    lacks: list[str] = []
    """Patterns that are not."""
    log: str = ""
    """Pattern that is found in the server's log within ten seconds."""


class Exchange(Step, kw_only=True):
    """A fact about the API: one step, or several that belong together."""

    send: str = ""
    id: str
    proves: list[str]
    """Lines of the contract's checklist as `22.7`, worked examples as `22a tags`, other sections by number."""
    note: str = ""
    server: str = "real"
    """One of servers.toml."""
    step: list[Step] = []

    @property
    def steps(self) -> list[Step]:
        """All steps in their order."""
        return self.step or [self]


def read_exchanges() -> list[Exchange]:
    """All exchanges of this folder."""
    found = []
    for path in sorted((FOLDER / "exchanges").glob("*.toml")):
        found += msgspec.convert(tomllib.loads(path.read_text("utf-8"))["exchange"], list[Exchange])
    return found


def expected_failures() -> dict[str, str]:
    """The reason of each exchange that is known to fail, by its id."""
    return msgspec.convert(tomllib.loads((FOLDER / "expected-failures.toml").read_text("utf-8")), dict[str, str])


def _reasons(item: Exchange) -> list[pytest.MarkDecorator]:
    reason = expected_failures().get(item.id)
    return [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each exchange."""
    if "exchange" in metafunc.fixturenames:
        cases = [pytest.param(each, id=each.id, marks=_reasons(each)) for each in read_exchanges()]
        metafunc.parametrize("exchange", cases)


@pytest.fixture(scope="session")
def exchanges() -> list[Exchange]:
    return read_exchanges()


@pytest.fixture(scope="session")
def known_failures() -> dict[str, str]:
    return expected_failures()


class _Recipe(msgspec.Struct, forbid_unknown_fields=True):
    """A server of servers.toml."""

    environment: dict[str, str] = {}
    pull: bool = True
    """Whether it has the real model, also as `m`."""
    prepare: list[str] = []
    """Requests that make its other models: `POST /path` and a body."""


class Prepared:
    """A running server, and what exchanges may say about it."""

    def __init__(self, server, facts: dict[str, str]) -> None:
        self.server = server
        self.facts = facts
        """Values of `%name%`."""


def _embedding_only(path: Path) -> Path:
    """A GGUF file that says it pools, as embedding models do. It has no weights."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_context_length(512)
    writer.add_embedding_length(384)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _prepare(server, recipe: _Recipe, folder: Path) -> Prepared:
    facts = {}
    if recipe.pull:
        server.pull()
        server.post("/api/copy", source=MODEL, destination="m").raise_for_status()
        (weights,) = [path for path in (server.models / "blobs").iterdir() if path.stat().st_size > 90_000_000]
        manifest = server.models / "manifests" / "registry.ollama.ai" / "library" / "m" / "latest"
        facts = {
            "weights": weights.name.replace("-", ":", 1),
            "manifest": hashlib.sha256(manifest.read_bytes()).hexdigest(),
            "models": str(server.models),
        }
    if recipe.prepare:
        content = _embedding_only(folder / "embedding.gguf").read_bytes()
        facts["embedding"] = _digest(content)
        server.http.post(f"/api/blobs/{facts['embedding']}", content=content).raise_for_status()
    for line in recipe.prepare:
        method, path, body = line.split(" ", 2)
        for name, value in facts.items():
            body = body.replace(f"%{name}%", value)
        answer = server.http.request(method, path, content=body)
        assert answer.is_success, f"{line}\n{answer.text}"
    return Prepared(server, facts)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, run_server) -> Callable[[str], Prepared]:
    """A server of servers.toml by its name; each is started once."""
    recipes = msgspec.convert(tomllib.loads((FOLDER / "servers.toml").read_text("utf-8")), dict[str, _Recipe])
    running: dict[str, Prepared] = {}
    failed: dict[str, Exception] = {}

    def get(name: str) -> Prepared:
        if name in failed:
            pytest.fail(f"the server {name!r} was not ready, see the first of its exchanges: {failed[name]!s:.200}")
        if name not in running:
            folder = tmp_path_factory.mktemp(name)
            try:
                running[name] = _prepare(run_server(folder, **recipes[name].environment), recipes[name], folder)
            except Exception as error:
                failed[name] = error
                raise
        return running[name]

    return get
