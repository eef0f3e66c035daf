import json
import stat
from hashlib import sha256
from http.server import BaseHTTPRequestHandler

import msgspec
import pytest

from camelid.contracts.distribution import tokens
from camelid.contracts.registry import BlobToSend, Registry, TransientRegistryError
from camelid.errors import RegistryError
from camelid.testing.loopback import LoopbackServer, Reply, Request
from camelid.types.names import ModelName
from camelid_ollama_registry.plugin import CAMELID_API, camelid_registries

MODEL = "application/vnd.ollama.image.model"
LICENSE = "application/vnd.ollama.image.license"


@pytest.fixture
def registry(source) -> Registry:
    return source.make_registry()


@pytest.fixture
def small(source) -> ModelName:
    return source.publish("small", b"weights")


def read(registry: Registry, name: ModelName) -> list[bytes]:
    found = registry.resolve(name)
    contents = []
    for layer in found.layers:
        with registry.open(layer.blob, 0) as stream:
            contents.append(b"".join(iter(lambda: stream.read(3), b"")))
    return contents


def asked(server: LoopbackServer) -> list[str]:
    return [f"{request.method} {request.path.partition('?')[0]}" for request in server.requests]


def test_the_hook_registers_the_registry():
    registered: list[Registry] = []
    camelid_registries(registered.append)
    assert ([registry.name for registry in registered], CAMELID_API) == (["ollama"], 1)


def test_the_manifest_stays_as_it_is_and_the_config_comes_last(source, registry):
    content = source.server.put("me/two:q4", (MODEL, b"weights"), (LICENSE, b"free"))
    found = registry.resolve(ModelName.parse(f"http://{source.server.host}/me/two:q4"))
    assert found.manifest == content
    assert [layer.media_type.rpartition(".")[2] for layer in found.layers] == ["model", "license", "v1+json"]
    assert read(registry, ModelName.parse(f"http://{source.server.host}/me/two:q4"))[:2] == [b"weights", b"free"]


def test_one_signed_request_makes_a_token_for_all(source, registry, small):
    read(registry, small)
    token = next(request for request in source.server.requests if request.path.startswith("/token"))
    assert asked(source.server).count("GET /token") == 1
    assert "scope=repository%3Ax%3Apush" in token.path
    assert {"service=test", "ts", "nonce"} <= {
        part if part == "service=test" else part.partition("=")[0] for part in token.path.partition("?")[2].split("&")
    }
    source.server.tokens.clear()
    assert read(registry, small)[0] == b"weights"
    assert asked(source.server).count("GET /token") == 2


def test_without_a_challenge_no_key_is_made(source, registry, small):
    source.server.guarded = False
    assert read(registry, small)[0] == b"weights"
    assert list(source.keys.glob("id_*")) == []


def test_the_key_is_made_once_and_only_its_user_may_read_it(source, small):
    read(source.make_registry(), small)
    private, public = source.keys / "id_ed25519", source.keys / "id_ed25519.pub"
    before = private.read_bytes()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert public.read_text().startswith("ssh-ed25519 ")
    read(source.make_registry(), small)
    assert private.read_bytes() == before
    assert sorted(path.name for path in source.keys.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_a_damaged_key_is_named(source, registry, small):
    (source.keys / "id_ed25519").write_text("nonsense")
    with pytest.raises(RegistryError, match="id_ed25519 cannot be used"):
        registry.resolve(small)


@pytest.mark.parametrize("realm", ["http://other.example/token", "https://%s/token", "http://%s@evil.example/token"])
def test_a_token_of_another_host_is_not_fetched(source, registry, small, realm):
    source.server.realm = realm.replace("%s", source.server.host)
    with pytest.raises(RegistryError, match=r'realm host ".*" does not match original host "127\.0\.0\.1:\d+"'):
        registry.resolve(small)


def test_a_second_refusal_is_final(source, registry, small):
    source.server.tokens = type("Forgetful", (set,), {"add": lambda *_: None})()
    with pytest.raises(RegistryError, match=r"^unauthorized: access denied$"):
        registry.resolve(small)
    assert asked(source.server).count("GET /token") == 1


def test_a_token_that_drips_is_given_up(source, registry, small, monkeypatch):
    """Each byte comes in time, so that no read ever fails."""
    answer = type(source.server).answer

    def drip(handler: BaseHTTPRequestHandler) -> None:
        if not handler.path.startswith("/token"):
            answer(source.server, handler)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not source.server.released.wait(0.005):
            handler.wfile.write(b" ")

    monkeypatch.setattr(source.server, "answer", drip)
    monkeypatch.setattr(tokens, "_LONGEST_ANSWER", 0.05)
    with pytest.raises(OSError, match="the token takes too long"):
        registry.resolve(small)


class Fixed(LoopbackServer):
    """Answers the same to everything."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply

    def respond(self, request: Request) -> Reply:
        return self.reply


def manifest(*, layers: int = 1, **changes: object) -> bytes:
    layer = {"mediaType": MODEL, "digest": f"sha256:{'a' * 64}", "size": 1, **changes}
    return json.dumps({"config": layer, "layers": [layer] * layers}).encode()


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(403, b"not yours"), RegistryError, "^403: not yours$"),
        (Reply(503, b"later"), TransientRegistryError, "^503: later$"),
        (Reply(200, b"x" * 5_000_000), RegistryError, "too large"),
        (Reply(200, b"{}"), RegistryError, "no manifest"),
        (Reply(200, b'{"manifests":[]}'), RegistryError, "no manifest"),
        (Reply(200, b"[" * 100_000), RegistryError, "no manifest"),
        (Reply(200, manifest(digest="sha256:../../../etc/passwd")), RegistryError, "corrupt"),
        (Reply(200, manifest(digest=f"sha256:{'A' * 64}")), RegistryError, "corrupt"),
        (Reply(200, manifest(size=-1)), RegistryError, "corrupt"),
        (Reply(200, b'{"config":%s,"layers":[%s]}' % ((b"{}",) * 2)), RegistryError, "no manifest"),
        (Reply(200, manifest(layers=10_000)), RegistryError, "10001 layers: too many"),
        (Reply(302, headers={"Location": "file:///etc/passwd"}), RegistryError, "where nobody may follow"),
        (Reply(302, headers={"Location": "/again"}), RegistryError, "circles"),
    ],
)
def test_what_is_no_manifest_is_refused(registry, reply, error, words):
    with Fixed(reply) as server, pytest.raises(error, match=words):
        registry.resolve(ModelName.parse(f"http://{server.host}/a/b"))


def test_who_cannot_be_reached_is_an_os_error(registry):
    with pytest.raises(OSError, match=r'GET "http://127\.0\.0\.1:1/v2/a/b/manifests/latest"'):
        registry.resolve(ModelName.parse("http://127.0.0.1:1/a/b"))


def to_send(tmp_path, content: bytes, origin: str = "") -> BlobToSend:
    path = tmp_path / "blob"
    path.write_bytes(content)
    return BlobToSend(MODEL, f"sha256:{sha256(content).hexdigest()}", len(content), path, origin)


def test_a_blob_is_uploaded_once(source, registry, small, tmp_path):
    blob, told = to_send(tmp_path, b"x" * 1_000_000), []
    registry.send(small, blob, told.append)
    assert source.server.blobs[blob.digest] == b"x" * 1_000_000
    assert told == sorted(told)
    assert told[-1] == 1_000_000
    source.server.requests.clear()
    registry.send(small, blob, told.append)
    assert asked(source.server) == [f"HEAD /v2/library/small/blobs/{blob.digest}"]


def test_a_blob_is_mounted_from_where_it_was_taken_over(source, registry, small, tmp_path):
    source.publish("parent", b"shared weights")
    blob = to_send(tmp_path, b"shared weights", origin=f"{source.server.host}/library/parent")
    taken = source.server.blobs.pop(blob.digest)  # HEAD in another repository does not find it
    registry.send(small, blob, lambda _: None)
    assert [request.method for request in source.server.requests if "uploads" in request.path] == ["POST"]
    source.server.blobs[blob.digest] = taken
    stranger = msgspec.structs.replace(to_send(tmp_path, b"other"), origin="elsewhere.example/library/parent")
    registry.send(small, stranger, lambda _: None)
    assert "mount" not in "".join(request.path for request in source.server.requests[-4:])


def test_parts_go_where_the_registry_says_and_no_token_with_them(source, registry, small, tmp_path, make_storage):
    source.server.storage = storage = make_storage()
    blob = to_send(tmp_path, b"y" * 700_000)
    registry.send(small, blob, lambda _: None)
    assert source.server.blobs[blob.digest] == b"y" * 700_000
    assert [request.method for request in storage.requests] == ["PUT"]
    assert "authorization" not in storage.requests[0].headers


def test_who_stops_the_progress_stops_the_upload(source, registry, small, tmp_path):
    class StopError(Exception):
        pass

    def stop(_sent: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        registry.send(small, to_send(tmp_path, b"z" * 1_000_000), stop)


def test_a_manifest_of_what_was_not_sent_is_refused(registry, small):
    with pytest.raises(RegistryError, match=r"^400: missing blobs$"):
        registry.publish(small, manifest())
