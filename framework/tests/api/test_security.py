import socket

import pytest
from litestar import Litestar, Response, route

from camelid.api.origins import Origins
from camelid.api.responses import text_reply
from camelid.api.routing import StrictRouting
from camelid.api.security import Security
from camelid.errors import ConfigurationError


@pytest.fixture
def app():
    @route("/", http_method=["GET", "POST"])
    async def handler() -> Response[bytes]:
        return text_reply("answer")

    def make(*origins: str, check_host: bool = True) -> Litestar:
        app = Litestar([handler], openapi_config=None, logging_config=None)
        app.asgi_handler = Security(StrictRouting(app), Origins(origins), check_host=check_host)
        return app

    return make


def vary(reply) -> list[str]:
    return reply.headers.get_list("vary")


async def test_without_an_origin_nothing_is_added(serve, app):
    async with serve(app()) as client:
        reply = await client.get("/")
    assert reply.text == "answer"
    assert not {"vary", "access-control-allow-origin"} & set(reply.headers)


async def test_the_servers_own_pages_are_no_strangers(serve, app):
    async with serve(app()) as client:
        reply = await client.get("/", headers={"Host": "llm.internal:80", "Origin": "https://llm.internal:80"})
    assert reply.text == "answer"
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost:5173",
        "http://127.0.0.1:3000",
        "http://0.0.0.0",
        "app://x",
        "tauri://a.b",
        "vscode-file://x",
    ],
)
async def test_local_pages_may_use_it(serve, app, origin):
    async with serve(app()) as client:
        reply = await client.get("/", headers={"Origin": origin})
    assert reply.text == "answer"
    assert reply.headers["access-control-allow-origin"] == origin
    assert vary(reply) == ["Origin"]
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin", ["http://example.com", "http://localhost.example.com", "null", "chrome-extension://x"]
)
async def test_foreign_pages_may_not(serve, app, method, origin):
    async with serve(app()) as client:
        reply = await client.request(method, "/", headers={"Origin": origin})
    assert (reply.status_code, reply.content) == (403, b"")


async def test_a_preflight_lists_what_is_allowed(serve, app):
    async with serve(app()) as client:
        reply = await client.options("/anything", headers={"Origin": "http://localhost:3000"})
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert reply.headers["access-control-allow-methods"] == "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
    assert reply.headers["access-control-max-age"] == "43200"
    assert vary(reply) == ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"]
    names = reply.headers["access-control-allow-headers"].split(",")
    assert {"Authorization", "Content-Type", "Openai-Beta", "X-Stainless-Timeout", "X-Api-Key"} <= set(names)
    assert len(set(names)) == 25


async def test_configured_origins_come_beside_the_local_ones(serve, app):
    async with serve(app(" https://chat.example.com", "", "https://*.example.org")) as client:
        for origin, status in (
            ("https://chat.example.com", 200),
            ("https://a.b.example.org", 200),
            ("http://localhost:1", 200),
            ("http://chat.example.com", 403),
            ("https://example.org", 403),
        ):
            assert (await client.get("/", headers={"Origin": origin})).status_code == status, origin


async def test_a_star_lets_everybody_in(serve, app):
    async with serve(app("*")) as client:
        reply = await client.get("/", headers={"Origin": "http://example.com"})
        preflight = await client.options("/", headers={"Origin": "http://example.com"})
    for answer in (reply, preflight):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert vary(answer) == []


@pytest.mark.parametrize("entry", ["example.com", "ftp://example.com", "http://*.*.com"])
def test_a_malformed_origin_is_refused_at_start(entry):
    with pytest.raises(ConfigurationError, match="origin"):
        Origins([entry])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:11434",
        "127.0.0.1:1",
        "127.9.9.9",
        "[::1]:11434",
        "[::1]",
        "0.0.0.0",
        "192.168.1.5:80",
        "10.0.0.1",
        "172.31.0.1",
        "[fd00::1]:80",
        "my.localhost",
        "printer.local:99",
        "host.docker.internal:11434",
        socket.gethostname().upper(),
        "",
    ],
)
async def test_local_host_names_are_believed(serve, app, host):
    async with serve(app()) as client:
        reply = await client.get("/", headers={"Host": host})
    assert reply.text == "answer"


@pytest.mark.parametrize(
    "host", ["example.com", "evil.com:11434", "8.8.8.8", "172.32.0.1", "localhost.evil.com", "[2001:db8::1]:1"]
)
async def test_other_host_names_are_not(serve, app, host):
    async with serve(app()) as client:
        reply = await client.get("/", headers={"Host": host})
    assert (reply.status_code, reply.content) == (403, b"")


async def test_addresses_of_this_machine_are_believed(serve, app, monkeypatch):
    monkeypatch.setattr("camelid.api.security._interfaces", lambda: {__import__("ipaddress").ip_address("8.8.8.8")})
    async with serve(app()) as client:
        reply = await client.get("/", headers={"Host": "8.8.8.8:11434"})
    assert reply.text == "answer"


async def test_options_for_a_local_name_is_answered_at_once(serve, app):
    async with serve(app()) as client:
        by_name = await client.options("/", headers={"Host": "localhost"})
        by_address = await client.options("/")
    assert (by_name.status_code, by_address.status_code) == (204, 405)


async def test_a_server_on_the_network_believes_every_host(serve, app):
    async with serve(app(check_host=False)) as client:
        reply = await client.get("/", headers={"Host": "example.com"})
    assert reply.text == "answer"
