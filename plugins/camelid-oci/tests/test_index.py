import json
import platform
from hashlib import sha256

import pytest

from camelid.contracts.registry import Registry
from camelid.errors import RegistryError
from camelid.testing.loopback import LoopbackServer, Reply, Request
from camelid.types.names import ModelName

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MODEL = {"artifactType": "application/vnd.cncf.model.manifest.v1+json"}
AMD, ARM = ({"platform": {"os": "linux", "architecture": one}} for one in ("amd64", "arm64"))
NOTE = {
    "platform": {"os": "unknown", "architecture": "unknown"},
    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
}


@pytest.fixture
def registry(source) -> Registry:
    return source.make_registry()


@pytest.fixture(autouse=True)
def _this_machine(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "system", lambda: "Linux")


@pytest.fixture
def push_index(source):
    """An index of manifests whose weights are called as they are, under the name of a repository of its own."""

    def push_index(*entries: dict[str, object], kind: str = INDEXES[0]) -> ModelName:
        listed = []
        for number, said in enumerate(entries):
            name = source.push("many/models", {"mediaType": "x", "title": "a.gguf"}, b"%d" % number)
            answer = source.get(f"/v2/{name.repository}/manifests/latest")
            about = {"digest": answer.headers["docker-content-digest"], "size": len(answer.content)}
            listed.append({"mediaType": MANIFEST, **about, **said})
        content = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": listed})
        source.put("/v2/many/models/manifests/latest", content, kind)
        return ModelName.parse(f"oci+http://{source.server.host}/many/models")

    return push_index


def chosen(registry: Registry, name: ModelName) -> bytes:
    (layer,) = registry.resolve(name).layers
    with registry.open(layer.blob, 0) as stream:
        return stream.read(9)


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize(
    ("entries", "number"),
    [
        (({},), b"0"),
        (({"platform": None}, AMD, MODEL), b"2"),
        (({"mediaType": "application/vnd.other"}, NOTE, ARM), b"2"),
        ((ARM, NOTE, AMD, NOTE), b"2"),
        ((AMD | MODEL, ARM | MODEL, AMD), b"0"),
        (({"platform": {"os": "windows", "architecture": "amd64"}}, AMD), b"1"),
    ],
)
def test_of_several_manifests_one_is_the_model(registry, push_index, kind, entries, number):
    assert chosen(registry, push_index(*entries, kind=kind)) == number


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (({}, {}), "there are 2 manifests under this name: say which one as @sha256"),
        ((MODEL, MODEL, {}), "there are 2 manifests"),
        ((NOTE,), "lists no manifest of a model"),
    ],
)
def test_where_it_is_not_clear_which_one_the_choice_is_the_clients(registry, push_index, entries, words):
    name = push_index(*entries)
    with pytest.raises(RegistryError, match=words):
        registry.resolve(name)


def test_an_index_can_be_named_by_its_digest(source, registry, push_index):
    name = push_index({})
    index = source._http.get("/v2/many/models/manifests/latest", headers={"Accept": INDEXES[0]})
    digest = index.headers["docker-content-digest"]
    assert chosen(registry, ModelName.parse(f"oci+http://{name.host}/many/models@{digest}")) == b"0"


class Indexing(LoopbackServer):
    """Has an index that lists what a test wants."""

    def __init__(self, *listed: dict[str, object]) -> None:
        super().__init__()
        self.manifests = {"latest": json.dumps({"manifests": listed}).encode()}

    def respond(self, request: Request) -> Reply:
        content = self.manifests.get(request.path.rpartition("/")[2])
        return Reply(404) if content is None else Reply(200, content)


def entry(content: bytes, kind: str = MANIFEST, **said: object) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{sha256(content).hexdigest()}", "size": len(content), **said}


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (entry(b"gone"), "another manifest"),
        (entry(b"one") | {"digest": entry(b"two")["digest"]}, "another manifest"),
        (entry(b"one", size=4), "another manifest"),
        (entry(b"", digest="sha256:../../../../other/manifests/latest"), "corrupt"),
        (entry(b"", size=-1), "corrupt"),
    ],
)
def test_a_hostile_index_is_refused(registry, listed, words):
    with Indexing(listed) as server:
        server.manifests |= {str(entry(one)["digest"]): b"one" for one in (b"one", b"two")}
        with pytest.raises(RegistryError, match=words):
            registry.resolve(ModelName.parse(f"oci+http://{server.host}/a/b"))


def test_indexes_in_indexes_end(registry):
    with Indexing() as server:
        inner = b'{"manifests":[]}'
        for _depth in range(8):
            digest = str(entry(inner)["digest"])
            server.manifests[digest] = inner
            inner = json.dumps({"manifests": [entry(inner, INDEXES[0])]}).encode()
        server.manifests["latest"] = inner
        with pytest.raises(RegistryError, match="indexes in indexes"):
            registry.resolve(ModelName.parse(f"oci+http://{server.host}/a/b"))
        assert len(server.requests) == 4
