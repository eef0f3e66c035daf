"""The way to registries by the usual variables: a proxy that is asked for a tunnel, and an authority of one's own."""

import runpy
import ssl
from pathlib import Path
from shutil import copyfileobj
from socket import SHUT_WR, create_connection
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
import trustme

from camelid.testing.loopback import LoopbackServer
from camelid.testing.tiny_gguf import write_language_model

PLUGINS = Path(__file__).parents[2] / "plugins"
OLLAMA = runpy.run_path(str(PLUGINS / "camelid-ollama-registry/tests/loopback_registry.py"))
UploadServer = runpy.run_path(str(PLUGINS / "camelid-oci/tests/upload_server.py"))["UploadServer"]
LoopbackHub = runpy.run_path(str(PLUGINS / "camelid-huggingface/tests/loopback_hub.py"))["LoopbackHub"]
HOSTS = ("ollama.example", "oci.example", "hub.example", "cdn.example")
TLS_PORT = 443


class Authority:
    """Vouches for hosts that exist nowhere."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.file = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.file)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS, "127.0.0.1").configure_cert(self.context)


class Proxy(ThreadingTCPServer):
    """Opens tunnels to hosts of this machine that speak no TLS, which it speaks in their place."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.authority = authority
        self.hosts: dict[str, str] = {}
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that do not trust the certificate hang up."""


class _Tunnel(StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        method, address, _version = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(f"{method} {address}")
        host, _, port = address.rpartition(":")
        target, _, there = self.server.hosts[host].rpartition(":")
        assert (method, int(port)) == ("CONNECT", TLS_PORT)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with (
            self.server.authority.context.wrap_socket(self.connection, server_side=True) as client,
            create_connection((target, int(there))) as upstream,
            client.makefile("rwb", buffering=0) as near,
            upstream.makefile("rwb", buffering=0) as far,
        ):
            back = Thread(target=copyfileobj, args=(far, near), daemon=True)
            back.start()
            copyfileobj(near, far)
            upstream.shutdown(SHUT_WR)
            back.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy(authority):
    with Proxy(authority) as proxy:
        Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield proxy
        proxy.shutdown()


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> bytes:
    return write_language_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture
def registry(weights):
    with OLLAMA["OllamaServer"]() as registry:
        registry.put("library/talker:latest", (OLLAMA["MODEL"], weights))
        yield registry


@pytest.fixture
def hub(weights):
    hub = LoopbackHub()
    hub.cdn_url = "https://cdn.example"
    hub.add("me/tiny", {"tiny.Q8_0.gguf": weights})
    yield hub
    hub.close()


def test_every_registry_is_reached_through_a_proxy_and_its_certificate_believed(
    start_server, authority, proxy, registry, hub
):
    with UploadServer() as oci:
        cdn = hub.cdn_address
        proxy.hosts = dict(zip(HOSTS, (registry.host, oci.host, hub.url.partition("://")[2], cdn), strict=True))
        server = start_server(
            HTTPS_PROXY=proxy.address,
            SSL_CERT_FILE=str(authority.file),
            HF_ENDPOINT="https://hub.example",
            HF_HOME=str(authority.file.parent / "home"),
            HF_TOKEN="",
            HF_HUB_OFFLINE="",
        )
        fetched, pushed = ("ollama.example/library/talker", "hf.co/me/tiny:Q8_0"), "oci://oci.example/me/tiny"
        for name in fetched:
            # All have the same weights, and none is to find them here.
            server.http.request("DELETE", "/api/delete", json={"model": pushed})
            server.pull(name)
            server.post("/api/copy", source=name, destination=pushed).raise_for_status()
            server.http.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
        answer = server.post("/api/push", model=pushed, stream=False)
        assert answer.json() == {"status": "success"}, answer.text
        server.http.request("DELETE", "/api/delete", json={"model": pushed}).raise_for_status()
        server.pull(pushed)
    assert {f"CONNECT {host}:443" for host in HOSTS} == set(proxy.asked)


def test_a_certificate_that_nobody_vouches_for_is_refused(start_server, proxy, registry):
    proxy.hosts = {"ollama.example": registry.host}
    server = start_server(HTTPS_PROXY=proxy.address)
    answer = server.post("/api/pull", model="ollama.example/library/talker", stream=False)
    assert answer.status_code == 500
    assert "CERTIFICATE_VERIFY_FAILED" in answer.json()["error"]
    assert registry.requests == []


class Forwarding(LoopbackServer):
    """A proxy for what is not encrypted: it is asked for whole addresses."""

    def __init__(self, registry: LoopbackServer) -> None:
        super().__init__()
        self._registry = registry

    def respond(self, request):
        path = request.path.removeprefix("http://ollama.example")
        assert path != request.path
        return self._registry.respond(type(request)(request.method, path, request.headers, request.body))


def test_a_proxy_is_asked_for_the_world_and_not_for_hosts_that_need_none(start_server, registry):
    with Forwarding(registry) as proxy:
        server = start_server(HTTP_PROXY=f"http://{proxy.host}", NO_PROXY="127.0.0.1")
        for host in ("ollama.example", registry.host):
            pulled = server.post("/api/pull", model=f"{host}/library/talker", insecure=True, stream=False)
            assert pulled.json() == {"status": "success"}, pulled.text
        assert all("ollama.example" in request.path for request in proxy.requests)
        assert proxy.requests
        assert registry.requests
