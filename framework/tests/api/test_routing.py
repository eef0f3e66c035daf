import pytest
from litestar import HttpMethod, Litestar, Response, post, route
from litestar.types import ASGIApp

from camelid.api.errors import EXCEPTION_HANDLERS
from camelid.api.request import ApiRequest
from camelid.api.responses import EmptyReply, text_reply
from camelid.api.routing import StrictRouting


@pytest.fixture
def app() -> Litestar:
    @route(["/", "/list"], http_method=[HttpMethod.GET, HttpMethod.HEAD])
    async def read() -> Response[bytes]:
        return text_reply("text")

    @post("/run")
    async def run() -> ASGIApp:
        return EmptyReply(201)

    @post("/list/{item:str}")
    async def put(request: ApiRequest) -> Response[bytes]:
        return text_reply(request.path_params["item"])

    app = Litestar([read, run, put], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None, logging_config=None)
    app.asgi_handler = StrictRouting(app)
    return app


async def test_head_has_the_headers_and_no_body(serve, app):
    async with serve(app) as client:
        got, head = await client.get("/list"), await client.head("/list")
    assert got.content == b"text"
    assert head.content == b""
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


async def test_an_empty_reply_has_no_content_type(serve, app):
    async with serve(app) as client:
        reply = await client.post("/run")
    assert (reply.status_code, reply.content) == (201, b"")
    assert "content-type" not in reply.headers


@pytest.mark.parametrize("path", ["/nothing", "/list/a/b", "//list", "/list//", "//", "/nothing/", "/run/x"])
async def test_no_such_path(serve, app, path):
    async with serve(app) as client:
        reply = await client.get(f"http://{client.base_url.netloc.decode()}{path}")
    assert (reply.status_code, reply.content) == (404, b"404 page not found")
    assert reply.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/run", "POST"),
        ("GET", "/run", "POST"),
        ("POST", "/list", "GET, HEAD"),
        ("OPTIONS", "/list", "GET, HEAD"),
        ("GET", "/list/a", "POST"),
    ],
)
async def test_the_wrong_method_is_told_the_right_ones(serve, app, method, path, allowed):
    async with serve(app) as client:
        reply = await client.request(method, path)
    assert (reply.status_code, reply.content) == (405, b"405 method not allowed")
    assert reply.headers["content-type"] == "text/plain"
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/list/", (301, "/list")),
        ("GET", "/list/?a=b%20c", (301, "/list?a=b%20c")),
        ("HEAD", "/list/", (307, "/list")),
        ("POST", "/run/", (307, "/run")),
        ("POST", "/list/a%3Ab/", (307, "/list/a%3Ab")),
        ("GET", "/run/", (404, None)),
    ],
)
async def test_a_slash_at_the_end_is_redirected_where_it_leads_somewhere(serve, app, method, path, answer):
    async with serve(app) as client:
        reply = await client.request(method, path)
    assert (reply.status_code, reply.headers.get("location")) == answer


async def test_parts_of_a_path_are_decoded(serve, app):
    async with serve(app) as client:
        reply = await client.post("/list/sha256%3Aab")
    assert reply.text == "sha256:ab"
