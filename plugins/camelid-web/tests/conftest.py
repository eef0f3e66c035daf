"""A source for the kit: files of a host that says their versions, as the usual web servers do."""

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
from camelid_web.files import NoLogin
from camelid_web.registry import WebFiles

FileServer = runpy.run_path(str(Path(__file__).with_name("file_server.py")))["FileServer"]


class WebSource(RegistrySource):
    def __init__(self) -> None:
        self.server = FileServer()
        self._clients: list[Client] = []

    def make_registry(self) -> Registry:
        registry = WebFiles()
        registry._client = Client(NoLogin())
        self._clients.append(registry._client)
        return registry

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def publish(self, model: str, weights: bytes) -> ModelName:
        self.server.shelf[f"/models/{model}.gguf"] = weights
        return self.name_of(model)

    def name_of(self, model: str) -> ModelName:
        return ModelName.parse(f"http://{self.server.host}/models/{model}.gguf")

    def unknown(self, name: ModelName) -> ModelName:
        return self.name_of("unknown")

    def make_mirror(self) -> LoopbackServer:
        return FileServer(self.server.shelf)


@pytest.fixture
def make_source() -> Callable[[Path], WebSource]:
    return lambda _folder: WebSource()


@pytest.fixture
def source() -> Iterator[WebSource]:
    source = WebSource()
    with source.server, closing(source):
        yield source
