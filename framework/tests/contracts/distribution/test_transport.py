import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
import trustme

from camelid.contracts.distribution.answers import connection_errors
from camelid.contracts.distribution.transport import Transport
from camelid.errors import RegistryError
from camelid.testing.loopback import Fault, LoopbackServer, Reply, Request

CONTENT = bytes(range(256)) * 12_000
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Files(LoopbackServer):
    """One file under every path; counts connections."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.connections: set[object] = set()
        self.hosts: list[str] = []
        """What all the `Host` headers said."""
        self.served_to: set[object] = set()
        self.faithless = False
        """Whether each connection is closed at its second request."""
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        verify = self._http.verify_request
        self._http.verify_request = lambda request, peer: self.connections.add(peer) or verify(request, peer)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.faithless and handler.client_address in self.served_to:
            handler.close_connection = True
            return
        self.served_to.add(handler.client_address)
        self.hosts += handler.headers.get_all("host")
        super().answer(handler)

    def respond(self, request: Request) -> Reply:
        return Reply(200, request.body or CONTENT, file=not request.body)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def files() -> Iterator[Files]:
    with Files() as server:
        yield server


@pytest.fixture
def make_client() -> Iterator[Callable[[], httpx.Client]]:
    made: list[httpx.Client] = []

    def make() -> httpx.Client:
        made.append(httpx.Client(transport=Transport(), timeout=10))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_body_that_was_read_leaves_a_connection_for_the_next_request(files, make_client):
    client = make_client()
    for _ in range(3):
        assert client.get(f"http://{files.host}/").content == CONTENT
    assert len(files.connections) == 1


def test_a_body_that_was_left_does_not(files, make_client):
    client = make_client()
    for _ in range(2):
        with client.stream("GET", f"http://{files.host}/") as response:
            assert CONTENT.startswith(next(response.iter_raw()))
    assert len(files.connections) == 2


@pytest.mark.parametrize(("method", "content"), [("HEAD", CONTENT), ("GET", b"")])
def test_an_answer_without_a_body_need_not_be_read_for_that(files, make_client, monkeypatch, method, content):
    client = make_client()
    monkeypatch.setattr(files, "respond", lambda _request: Reply(200, content))
    for _ in range(3):
        with client.stream(method, f"http://{files.host}/"):
            pass
    assert len(files.connections) == 1


def test_a_kept_connection_that_is_closed_in_that_moment_is_no_failure(files, make_client):
    client, files.faithless = make_client(), True
    for _ in range(3):
        assert client.get(f"http://{files.host}/").content == CONTENT
    assert len(files.connections) == 3
    with pytest.raises(httpx.NetworkError):  # it may have been taken
        client.post(f"http://{files.host}/", content=b"abc")


def test_what_only_announces_an_answer_is_never_mixed_up_with_the_next_one(files, make_client, monkeypatch):
    client = make_client()
    with monkeypatch.context() as hurried:
        hurried.setattr(files, "respond", lambda _request: Reply(103))
        with pytest.raises(httpx.TransportError, match="103"):
            client.get(f"http://{files.host}/")
    assert client.get(f"http://{files.host}/").content == CONTENT
    assert len(files.connections) == 2


def test_what_came_is_handed_out_before_the_rest_comes(files, make_client):
    files.inject(Fault.STALL, 1)
    with make_client().stream("GET", f"http://{files.host}/") as response:
        pieces, came = response.iter_raw(), b""
        while len(came) < len(CONTENT) // 2:
            came += next(pieces)
        files.released.set()
        with pytest.raises(httpx.TransportError):
            next(pieces)
    assert CONTENT.startswith(came)


def test_a_server_that_says_nothing_is_waited_for_so_long(files):
    files.inject(Fault.STALL, 1)
    with httpx.Client(transport=Transport(), timeout=0.05) as client, pytest.raises(httpx.TimeoutException):
        client.get(f"http://{files.host}/")


def test_nobody_there_is_a_broken_connection(make_client):
    with pytest.raises(httpx.TransportError, match="refused"):
        make_client().get("http://127.0.0.1:9/")


def test_headers_are_bytes_of_which_nothing_is_expected(files, make_client, monkeypatch):
    strange = Reply(200, b"", headers={"Docker-Content-Digest": "caf\xe9", "Location": "/\xff"})
    monkeypatch.setattr(files, "respond", lambda _request: strange)
    answer = make_client().get(f"http://{files.host}/")
    assert (answer.headers["docker-content-digest"], answer.headers["location"]) == ("caf\xe9", "/\xff")


def test_a_body_is_sent_piece_by_piece_with_the_length_it_was_said_to_have(files, make_client):
    body, headers = iter((b"abc", b"def")), {"Content-Length": "6"}
    assert make_client().put(f"http://{files.host}/", content=body, headers=headers).content == b"abcdef"
    assert "transfer-encoding" not in files.requests[0].headers


def test_a_proxy_is_asked_with_its_login_and_not_for_hosts_that_need_none(files, make_client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://me:s%40fe@{files.host}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = make_client()
    client.get("http://registry.invalid/large?part=1")
    client.get(f"http://{files.host}/small")
    through, direct = files.requests
    assert (through.path, direct.path) == ("http://registry.invalid/large?part=1", "/small")
    assert through.headers["proxy-authorization"] == f"Basic {b64encode(b'me:s@fe').decode()}"
    assert "proxy-authorization" not in direct.headers
    assert files.hosts == ["registry.invalid", files.host]


@pytest.mark.parametrize("exceptions", ["127.0.0.0/8", "other.invalid, 127.0.0.1", "127.0.0.1:{port}", "*"])
def test_hosts_that_need_no_proxy_are_named_in_many_ways(files, make_client, monkeypatch, exceptions):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", exceptions.format(port=files.host.partition(":")[2]))
    assert make_client().get(f"http://{files.host}/").content == CONTENT


@pytest.mark.parametrize("exceptions", ["::1", "[::1]", "::/64"])
def test_a_host_may_be_named_by_its_newer_number(files, make_client, monkeypatch, exceptions):
    monkeypatch.setenv("HTTP_PROXY", f"http://{files.host}")
    monkeypatch.setenv("NO_PROXY", exceptions)
    with pytest.raises(httpx.TransportError):
        make_client().get("http://[::1]:9/")
    assert files.requests == []
    assert make_client().get("http://[2001:db8::1]/").content == CONTENT


@pytest.mark.parametrize("address", ["http://[bad", "http://host:port", "http://", "http://me:secret@:80", "http:// "])
def test_a_proxy_at_no_address_is_told(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(RegistryError, match="write http://host:port") as refused:
        Transport()
    assert "secret" not in f"{refused.value} {refused.value.reason}"


def test_a_proxy_for_all_needs_no_scheme(files, make_client, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", files.host)
    make_client().get("http://registry.invalid/")
    assert files.requests[0].headers["host"] == "registry.invalid"


def test_a_proxy_of_another_kind_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:9")
    with pytest.raises(RegistryError, match=r"socks5://.*HTTPS_PROXY") as refused:
        Transport()
    assert "secret" not in f"{refused.value} {refused.value.reason}"


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_told(monkeypatch, tmp_path: Path, content):
    if content is not None:
        (tmp_path / "ours.pem").write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ours.pem"))
    with pytest.raises(RegistryError, match=r"certificates cannot be read: .*SSL_CERT_FILE"):
        Transport()


def test_who_signed_a_certificate_is_found_where_the_variable_says(make_client, monkeypatch, tmp_path: Path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    with Files(context) as server:
        with pytest.raises(httpx.TransportError, match="CERTIFICATE_VERIFY_FAILED"):
            make_client().get(f"https://{server.host}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ours.pem"))
        assert make_client().get(f"https://{server.host}/").content == CONTENT


def test_what_speaks_plain_http_only_is_told_at_once(files, make_client):
    url = f"https://{files.host}/"
    with (
        pytest.raises(RegistryError, match=r"speaks no https; plain http must be allowed") as refused,
        connection_errors("GET", f"{url}?secret"),
    ):
        make_client().get(url)
    assert refused.value.message.startswith(f'GET "{url}": ')
