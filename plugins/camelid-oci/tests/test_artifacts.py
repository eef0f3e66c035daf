import json
from hashlib import sha256

import pytest

from camelid.contracts.registry import BlobToSend, Registry
from camelid.errors import CamelidError, RegistryError
from camelid.testing.loopback import LoopbackServer, Reply, Request
from camelid.testing.registry_source import Client
from camelid.types.names import ModelName
from camelid_oci.plugin import CAMELID_API, camelid_registries
from camelid_oci.references import manifest_url, repository_at

OLLAMA = "application/vnd.ollama.image."
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
FILE = "application/octet-stream"


@pytest.fixture
def registry(source) -> Registry:
    return source.make_registry()


def described(registry: Registry, name: ModelName) -> list[tuple[str, str, bytes]]:
    layers = []
    for layer in registry.resolve(name).layers:
        with registry.open(layer.blob, 0) as stream:
            content = b"".join(iter(lambda: stream.read(3), b""))
        layers.append((layer.media_type.rpartition(".")[2], layer.name, content))
    return layers


def test_the_hook_registers_the_registry():
    registered: list[Registry] = []
    camelid_registries(registered.append)
    assert ([(one.name, one.protocol) for one in registered], CAMELID_API) == ([("oci", "oci")], 1)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("oci://ghcr.io/a/b/c:q4", "https://ghcr.io/v2/a/b/c/manifests/q4"),
        ("oci+http://localhost:5000/c", "http://localhost:5000/v2/c/manifests/latest"),
        ("oci://docker.io/ai/small:q4", "https://registry-1.docker.io/v2/ai/small/manifests/q4"),
        ("oci://docker.io/small", "https://registry-1.docker.io/v2/library/small/manifests/latest"),
        (f"oci://x/a/b@sha256:{'0a' * 32}", f"https://x/v2/a/b/manifests/sha256:{'0a' * 32}"),
    ],
)
def test_where_a_name_is_asked_for(name, url):
    assert manifest_url(ModelName.parse(name)) == url


def test_which_repository_may_lend_a_blob():
    name = ModelName.parse("oci://x:5000/a/b")
    assert repository_at(name, "x:5000/c___d/e:q4") == "c/d/e"
    assert [repository_at(name, origin) for origin in ("y/c/d", "UPPER/x", "../x", "")] == [""] * 4


def test_a_model_is_an_oci_artifact_whose_files_have_names(source, registry, tmp_path):
    """As its layers came, with what other programs need; and it comes back as it was, however it was written."""
    repository = "team/mine"
    layers = []
    for kind, content in (("model", b"GGUF"), ("license", b"one"), ("license", b"two"), ("json", b"{}")):
        path = tmp_path / "blob"
        path.write_bytes(content)
        digest = f"sha256:{sha256(content).hexdigest()}"
        name = {"name": "a/config.json"} if kind == "json" else {}
        layers.append({"mediaType": f"{OLLAMA}{kind}", "digest": digest, "size": len(content), **name})
        registry.send(_name(source, repository), BlobToSend(OLLAMA, digest, len(content), path), lambda _: None)
    stored = json.dumps({"layers": layers, "config": {**layers[3], "mediaType": CONFIG}}, indent=1).encode()
    registry.publish(_name(source, repository), stored)
    answer = source.get(f"/v2/{repository}/manifests/latest")
    assert answer.headers["content-type"] == answer.json()["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert answer.json()["artifactType"] == "application/vnd.camelid.model.v1"
    titles = [layer["annotations"]["org.opencontainers.image.title"] for layer in answer.json()["layers"]]
    assert titles == ["model", "license", "license-2", "a/config.json"]
    assert registry.resolve(_name(source, repository)).manifest == stored
    pinned = _name(source, f"{repository}@{answer.headers['docker-content-digest']}")
    assert registry.resolve(pinned).manifest == stored
    with pytest.raises(RegistryError, match="pushed to a tag"):
        registry.send(pinned, BlobToSend(OLLAMA, layers[0]["digest"], 4, tmp_path / "blob"), lambda _: None)


def _name(source, repository: str) -> ModelName:
    return ModelName.parse(f"oci+http://{source.server.host}/{repository}")


def test_what_ollama_pushed_stays_as_it_is(source, registry):
    layer = source.upload("me/model", b"GGUF", f"{OLLAMA}model")
    config = source.upload("me/model", b"{}", CONFIG)
    content = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": [layer]})
    source.put("/v2/me/model/manifests/latest", content, DOCKER_MANIFEST)
    assert registry.resolve(_name(source, "me/model")).manifest == content.encode()
    assert [kind for kind, _, _ in described(registry, _name(source, "me/model"))] == ["model", "v1+json"]


def test_ollamas_layers_with_titles_are_a_model(source, registry):
    parts = ({"mediaType": f"{OLLAMA}model", "title": "x.gguf"}, b"GGUF", {"mediaType": f"{OLLAMA}system"}, b"Hello")
    name = source.push("me/titled", *parts)
    assert described(registry, name) == [("model", "", b"GGUF"), ("system", "", b"Hello")]
    assert registry.resolve(name).manifest is None


def test_models_of_docker_are_models(source, registry):
    docker = "application/vnd.docker.ai."
    name = source.push(
        "ai/small",
        {"mediaType": f"{docker}license"},
        b"free",
        {"mediaType": f"{docker}mmproj"},
        b"sees",
        {"mediaType": f"{docker}gguf.v3"},
        b"GGUF",
        {"mediaType": f"{docker}chat.template.jinja"},
        b"{{ x }}",
    )
    assert described(registry, name) == [("model", "", b"GGUF"), ("projector", "", b"sees"), ("license", "", b"free")]
    assert registry.resolve(name).config == {"model_format": "gguf"}


def test_a_folder_keeps_its_names(source, registry):
    files = ("tokenizer.json", "model.onnx.data", "model.onnx", "README.md", "LICENSE", "genai_config.json")
    parts = [part for file in files for part in ({"mediaType": FILE, "title": file}, file.encode())]
    name = source.push("me/folder", *parts)
    assert [(kind, file) for kind, file, _ in described(registry, name)] == [
        ("model", "model.onnx"),
        ("model", "model.onnx.data"),
        ("json", "genai_config.json"),
        ("json", "tokenizer.json"),
        ("license", ""),
    ]


def test_what_holds_no_model_is_refused(source, registry):
    name = source.push("me/other", {"mediaType": FILE, "title": "notes.txt"}, b"x")
    with pytest.raises(RegistryError, match="no GGUF, ONNX or safetensors files by their names"):
        registry.resolve(name)


@pytest.mark.parametrize(
    "title", ["../model.onnx", "/etc/model.onnx", "a/../../model.onnx", "a\\model.onnx", "a\0.onnx"]
)
def test_a_title_leads_nowhere(source, tmp_path, title):
    parts = ({"mediaType": FILE, "title": title}, b"x", {"mediaType": FILE, "title": "tokenizer.json"}, b"{}")
    client, name = Client(source, tmp_path / "models"), source.push("me/hostile", *parts)
    with pytest.raises(CamelidError) as refused:
        client.pull(name)
    assert refused.value.status < 500 or isinstance(refused.value, RegistryError)
    assert client.store.find(name) is None
    assert client.remains() == []


class Fixed(LoopbackServer):
    """Answers the same to everything."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply

    def respond(self, request: Request) -> Reply:
        return self.reply


def manifest(*, layers: int = 1, annotations: object = None, **changes: object) -> bytes:
    layer = {"mediaType": f"{OLLAMA}model", "digest": f"sha256:{'a' * 64}", "size": 1, **changes}
    return json.dumps({"config": layer, "layers": [layer] * layers, "annotations": annotations}).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x" * 5_000_000, "too large"),
        (b"{}", "no manifest"),
        (b"[" * 100_000, "no manifest"),
        (manifest(digest="sha256:../../../etc/passwd"), "corrupt"),
        (manifest(digest="sha512:abc"), "corrupt"),
        (manifest(size=-1), "corrupt"),
        (manifest(annotations={"camelid.manifest": 1}), "no manifest"),
        (manifest(annotations={"camelid.manifest": "{}"}, size="1"), "no manifest"),
        (manifest(layers=10_000), "10001 layers: too many"),
    ],
)
def test_what_is_no_manifest_is_refused(registry, content, words):
    with Fixed(Reply(200, content)) as server, pytest.raises(RegistryError, match=words):
        registry.resolve(ModelName.parse(f"oci+http://{server.host}/a/b"))


def test_a_manifest_of_another_digest_is_refused(registry):
    with Fixed(Reply(200, manifest())) as server, pytest.raises(RegistryError, match="another manifest"):
        registry.resolve(ModelName.parse(f"oci+http://{server.host}/a/b@sha256:{'a' * 64}"))


@pytest.mark.parametrize("stored", ["{}", "nonsense", manifest(digest=f"sha256:{'b' * 64}").decode()])
def test_the_annotation_of_a_stranger_names_only_what_he_sends(source, tmp_path, stored):
    parts = ({"mediaType": f"{OLLAMA}model", "title": "x.gguf"}, b"GGUF")
    name = source.push("me/annotated", *parts, annotations={"camelid.manifest": stored})
    client = Client(source, tmp_path / "models")
    with pytest.raises(RegistryError, match=r"is corrupt|left out blobs"):
        client.pull(name)
    assert client.store.find(name) is None
