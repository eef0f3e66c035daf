"""A source for the kit, with a loopback server that speaks Ollama's protocol."""

import runpy
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import Registry
from camelid.testing.loopback import LoopbackServer
from camelid.testing.registry_source import RegistrySource
from camelid.types.names import ModelName
from camelid_ollama_registry.registry import OllamaRegistry
from camelid_ollama_registry.tokens import SignedTokens

LOOPBACK = runpy.run_path(str(Path(__file__).with_name("loopback_registry.py")))
OllamaServer, Storage, MODEL = LOOPBACK["OllamaServer"], LOOPBACK["Storage"], LOOPBACK["MODEL"]


class OllamaSource(RegistrySource):
    def __init__(self, folder: Path) -> None:
        self.keys = folder
        self.server = OllamaServer(guarded=True)
        self._clients: list[Client] = []

    def make_registry(self) -> Registry:
        registry = OllamaRegistry()
        registry._client = Client(SignedTokens(self.keys))
        self._clients.append(registry._client)
        return registry

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def publish(self, model: str, weights: bytes) -> ModelName:
        self.server.put(f"library/{model}:latest", (MODEL, weights))
        return ModelName.parse(f"http://{self.server.host}/library/{model}")

    def make_mirror(self) -> LoopbackServer:
        return OllamaServer(blobs=self.server.blobs)


@pytest.fixture
def make_source() -> Callable[[Path], OllamaSource]:
    return OllamaSource


@pytest.fixture
def source(tmp_path: Path) -> Iterator[OllamaSource]:
    source = OllamaSource(tmp_path)
    with source.server, closing(source):
        yield source


@pytest.fixture
def make_storage(source: OllamaSource) -> Iterator[Callable[[], LoopbackServer]]:
    made: list[LoopbackServer] = []

    def make() -> Storage:
        made.append(Storage(source.server).__enter__())
        return made[-1]

    yield make
    for storage in made:
        storage.__exit__(None, None, None)
