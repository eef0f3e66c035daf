import json
import runpy
from base64 import b64encode
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from camelid.contracts.distribution.client import Client
from camelid.contracts.registry import BlobToSend
from camelid.errors import RegistryError
from camelid.testing.loopback import LoopbackServer, Reply, Request
from camelid.types.names import ModelName
from camelid_oci.authorization import DockerLogins
from camelid_oci.logins import Login, find_login
from camelid_oci.registry import OciRegistry

REAL = runpy.run_path(str(Path(__file__).with_name("docker_registry.py")))
TOKENS = runpy.run_path(str(Path(__file__).with_name("token_server.py")))
MODEL = "application/vnd.ollama.image.model"


def to_send(folder: Path, content: bytes, origin: str = "") -> BlobToSend:
    path = folder / "blob"
    path.write_bytes(content)
    return BlobToSend(MODEL, f"sha256:{sha256(content).hexdigest()}", len(content), path, origin)


def write(folder: Path, auths: object) -> Path:
    (folder / "config.json").write_text(json.dumps({"auths": auths, "credsStore": "desktop"}))
    return folder


def encoded(text: str) -> dict[str, str]:
    return {"auth": b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("localhost:5000", "localhost:5000"),
        ("https://Ghcr.io/v2/", "ghcr.io"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
        ("docker.io", "registry-1.docker.io"),
    ],
)
def test_a_login_is_found_by_its_host(tmp_path, key, host):
    folder = write(tmp_path, {"other.example": encoded("other:x"), key: encoded("me:a:b")})
    assert find_login(host, folder) == Login("me", "a:b")
    assert find_login("elsewhere.example", folder) is None


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        ({"username": "me", "password": "x"}, Login("me", "x")),
        ({"identitytoken": "t"}, Login("", "", "t")),
        ({}, None),
        ({"auth": ""}, None),
    ],
)
def test_forms_of_logins(tmp_path, entry, login):
    assert find_login("x", write(tmp_path, {"x": entry})) == login


def test_without_a_file_there_is_no_login(tmp_path, monkeypatch):
    assert find_login("x", tmp_path) is None
    monkeypatch.setenv("DOCKER_CONFIG", str(write(tmp_path, {"x": encoded("me:y")})))
    assert find_login("x") == Login("me", "y")


@pytest.mark.parametrize("content", ["nonsense", '{"auths":{"x":{"auth":"é"}}}', '{"auths":[]}', "[" * 100_000])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RegistryError, match=r"Docker's config\.json"):
        find_login("x", tmp_path)


def test_the_password_is_sent_only_when_it_is_asked_for(source, tmp_path):
    name = source.publish("small", b"GGUF")
    source.make_registry().resolve(name)
    shown = [request.headers.get("authorization", "") for request in source.server.requests]
    assert [text.partition(" ")[0] for text in shown] == ["", "Basic"]


def test_a_wrong_password_is_refused_once(source):
    name = source.publish("small", b"GGUF")
    REAL["write_login"](source.logins, source.server.host, password="hay")
    with pytest.raises(RegistryError, match=r"^unauthorized: access denied$"):
        source.make_registry().resolve(name)
    assert len(source.server.requests) == 2


def test_without_a_login_it_is_said_how_to_get_one(source):
    name = source.publish("small", b"GGUF")
    REAL["write_login"](source.logins, "elsewhere.example")
    with pytest.raises(RegistryError, match=rf"log in with `docker login {source.server.host}`"):
        source.make_registry().resolve(name)


@pytest.fixture
def token_server(tmp_path):
    with TOKENS["TokenServer"](tmp_path, REAL["USER"], REAL["PASSWORD"]) as server:
        yield server


@pytest.fixture
def token_registry(token_server, tmp_path):
    with REAL["DockerRegistry"](tmp_path / "registry", **token_server.settings()) as registry:
        yield registry


@pytest.fixture
def registry(tmp_path):
    registry = OciRegistry()
    registry._client = Client(DockerLogins(tmp_path / "docker"))
    with closing(registry._client):
        yield registry


@pytest.mark.parametrize("refreshing", [False, True])
def test_tokens_are_got_for_a_login(token_server, token_registry, registry, tmp_path, refreshing):
    name = ModelName.parse(f"oci+http://{token_registry.host}/team/deep/model")
    (tmp_path / "docker").mkdir()
    entry = {"identitytoken": TOKENS["REFRESH_TOKEN"]} if refreshing else encoded("camel:wool")
    write(tmp_path / "docker", {token_registry.host: entry})
    assert registry.resolve(name) is None
    blob = to_send(tmp_path, b"GGUF" * 100_000)
    registry.send(name, blob, lambda _: None)
    layer = {"mediaType": MODEL, "digest": blob.digest, "size": blob.size}
    stored = json.dumps({"schemaVersion": 2, "config": layer, "layers": [layer]}).encode()
    registry.publish(name, stored)
    found = registry.resolve(name)
    assert found.manifest == stored
    with registry.open_range(found.layers[0].blob, 4, 4) as stream:
        assert stream.read(4) == b"GGUF"
    assert len(token_server.requests) == 2, "one token to pull with, one to push with"


def test_who_has_no_login_gets_an_anonymous_token(token_server, token_registry, registry):
    assert registry.resolve(ModelName.parse(f"oci+http://{token_registry.host}/public/model")) is None
    with pytest.raises(RegistryError, match="unauthorized: access denied"):
        registry.resolve(ModelName.parse(f"oci+http://{token_registry.host}/private/model"))
    assert not any("authorization" in request.headers for request in token_server.requests)


class Challenging(LoopbackServer):
    """Wants a token from somewhere."""

    def __init__(self, realm: str) -> None:
        super().__init__()
        self._realm = realm

    def respond(self, request: Request) -> Reply:
        return Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{self._realm}",service="x",scope="y"'})


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "http://me:you@127.0.0.1:1/token", "http://x:y/", "ftp://x/y"])
def test_a_realm_that_is_none_is_refused(registry, realm):
    with Challenging(realm) as server, pytest.raises(RegistryError, match=r"^unauthorized: access denied$"):
        registry.resolve(ModelName.parse(f"oci+http://{server.host}/a/b"))


def test_no_password_leaves_an_encrypted_connection_for_an_open_one(tmp_path):
    REAL["write_login"](tmp_path / "docker", "secure.example")
    with httpx.Client() as http, pytest.raises(RegistryError, match="unauthorized: access denied"):
        DockerLogins(tmp_path / "docker").answer(
            http, httpx.URL("https://secure.example/v2/a/manifests/b"), 'Bearer realm="http://secure.example/token"'
        )


class Elsewhere(LoopbackServer):
    """Sends everybody who shows a password to another host."""

    def __init__(self, other: LoopbackServer) -> None:
        super().__init__()
        self._other = other

    def respond(self, request: Request) -> Reply:
        if "authorization" not in request.headers:
            return Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        if request.method == "HEAD":
            return Reply(404)
        status = 202 if request.method == "POST" else 307
        return Reply(status, headers={"Location": f"http://{self._other.host}{request.path}"})


class Curious(LoopbackServer):
    """Wants to know more than it has a right to."""

    def respond(self, request: Request) -> Reply:
        return Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})


def ask(registry: OciRegistry, name: ModelName, folder: Path) -> None:
    registry.resolve(name)


def send(registry: OciRegistry, name: ModelName, folder: Path) -> None:
    registry.send(name, to_send(folder, b"GGUF"), lambda _: None)


@pytest.mark.parametrize("work", [ask, send])
def test_another_host_learns_no_password(registry, tmp_path, work):
    with Curious() as other, Elsewhere(other) as server:
        REAL["write_login"](tmp_path / "docker", server.host)
        with pytest.raises(RegistryError, match="unauthorized: access denied"):
            work(registry, ModelName.parse(f"oci+http://{server.host}/a/b"), tmp_path)
        assert any("authorization" in request.headers for request in server.requests)
        assert other.requests
        assert not any("authorization" in request.headers for request in other.requests)
