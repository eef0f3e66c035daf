"""A source for the kit: a real registry server behind a proxy that has the faults."""

import json
import runpy
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import Registry
from camelid.testing.loopback import LoopbackServer
from camelid.testing.registry_source import RegistrySource
from camelid.types.names import ModelName
from camelid_oci.authorization import DockerLogins
from camelid_oci.registry import OciRegistry

REAL = runpy.run_path(str(Path(__file__).with_name("docker_registry.py")))
DockerRegistry, FaultyProxy = REAL["DockerRegistry"], REAL["FaultyProxy"]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class OciSource(RegistrySource):
    def __init__(self, registry: DockerRegistry, folder: Path) -> None:
        self.registry = registry
        self.server = FaultyProxy(registry)
        self.logins = folder / "docker"
        self._clients: list[Client] = []
        self._http = httpx.Client(
            base_url=f"http://{registry.host}", auth=httpx.BasicAuth(REAL["USER"], REAL["PASSWORD"])
        )
        REAL["write_login"](self.logins, self.server.host)

    def make_registry(self) -> Registry:
        registry = OciRegistry()
        registry._client = Client(DockerLogins(self.logins))
        self._clients.append(registry._client)
        return registry

    def close(self) -> None:
        for client in (*self._clients, self._http):
            client.close()

    def publish(self, model: str, weights: bytes) -> ModelName:
        return self.push(f"shelf/of/{model}", {"mediaType": "application/octet-stream", "title": "a.gguf"}, weights)

    def make_mirror(self) -> LoopbackServer:
        return FaultyProxy(self.registry, login=True)

    def push(self, repository: str, *parts: dict[str, str] | bytes, **manifest: object) -> ModelName:
        """An artifact; after what is to be said of each layer comes its content."""
        layers = []
        for described, content in zip(parts[::2], parts[1::2], strict=True):
            title = described.get("title")
            annotations = {"annotations": {"org.opencontainers.image.title": title}} if title else {}
            layers.append(self.upload(repository, content, described["mediaType"]) | annotations)
        config = self.upload(repository, b"{}", "application/vnd.oci.empty.v1+json")
        self.put(
            f"/v2/{repository}/manifests/latest",
            json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, **manifest}),
        )
        return ModelName.parse(f"oci+http://{self.server.host}/{repository}")

    def upload(self, repository: str, content: bytes, media_type: str) -> dict[str, object]:
        digest = f"sha256:{sha256(content).hexdigest()}"
        session = self._http.post(f"/v2/{repository}/blobs/uploads/").raise_for_status().headers["location"]
        self._http.put(
            session, params={**httpx.URL(session).params, "digest": digest}, content=content
        ).raise_for_status()
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def put(self, path: str, manifest: str, media_type: str = MANIFEST) -> None:
        self._http.put(path, content=manifest, headers={"Content-Type": media_type}).raise_for_status()

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path, headers={"Accept": MANIFEST})


@pytest.fixture(scope="session")
def guarded_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Asks for a user and a password."""
    folder = tmp_path_factory.mktemp("registry")
    with DockerRegistry(folder, **REAL["guard"](folder)) as registry:
        yield registry


@pytest.fixture
def make_source(guarded_registry: DockerRegistry) -> Callable[[Path], OciSource]:
    return lambda folder: OciSource(guarded_registry, folder)


@pytest.fixture
def source(make_source: Callable[[Path], OciSource], tmp_path: Path) -> Iterator[OciSource]:
    source = make_source(tmp_path)
    with source.server, closing(source):
        yield source
