"""Routes of plugins: off unless named, guarded as all others, and to blame for what they do wrong."""

import asyncio
import socket

import httpx
import pytest

from camelid.api import plugin_routes
from camelid.errors import ConfigurationError
from camelid.settings import Settings

SOURCE = r"""
import threading
from camelid import HttpResponse, Route
from camelid.errors import ServerBusyError

def seen(request):
    import json
    text = json.dumps({"method": request.method, "path": request.path, "query": request.query,
        "x": request.headers.get("x-test"), "body": request.body.decode(),
        "main": threading.current_thread() is threading.main_thread()})
    return HttpResponse(text.encode(), 201, headers={"X-Made": "yes"})

async def pieces(request):
    async def parts():
        for part in (b"one\n", b"two\n"):
            yield part
    return HttpResponse(parts(), content_type="text/plain")

async def cut(request):
    async def parts():
        yield b"one"
        raise ValueError("cut")
    return HttpResponse(parts(), content_type="text/plain")

async def broken(request): raise ValueError("secret")
async def ending(request): raise SystemExit(3)
def leaving(request): raise SystemExit(3)
def busy(request): raise ServerBusyError("try later")
def wrong(request): return 3
def later(request): return pieces(request)
def stopping(request): return next(iter(()))
async def deaf(): pass

async def letters(request):
    async def parts():
        yield "one"
    return HttpResponse(parts())

gate, inside = threading.Event(), threading.Semaphore(0)

def waiting(request):
    inside.release()
    gate.wait()
    return HttpResponse(b"done")

def split(request): return HttpResponse(headers={"x-a": "1\r\nx-b: 2"})
def spaced(request): return HttpResponse(headers={"x a": "1"})
def typed(request): return HttpResponse(content_type="text/plain\nx-b: 2")
def endless(request): return HttpResponse(b"four", headers={"Content-Length": "3"})
def wide(request): return HttpResponse(headers={"x-a": "\u263a"})
def early(request): return HttpResponse(status=101)
def text(request): return HttpResponse("text")

@hookimpl
def camelid_routes(register):
    register(Route("/seen/*", seen, frozenset({"GET", "POST"})))
    for handler in (
        *(pieces, cut, broken, ending, leaving, busy, wrong, later, stopping, deaf, letters, waiting),
        *(split, spaced, typed, endless, wide, early, text),
    ):
        register(Route("/" + handler.__name__, handler))
"""


@pytest.fixture
def web(tmp_path, install, run_server):
    """A server with the plugin `web`."""

    def web(source: str = SOURCE, routes: tuple[str, ...] = ("web",)):
        install("web", source)
        folder = tmp_path / "models"
        return run_server(Settings(models=folder, host="127.0.0.1:0", plugins=("echo", "web"), routes=routes))

    return web


async def test_routes_are_off_unless_the_setting_names_the_plugin(web):
    async with web(routes=()) as client:
        assert (await client.get("/seen")).status_code == 404


async def test_a_handler_sees_the_request_and_its_answer_is_sent(web):
    async with web() as client:
        answer = await client.post("/seen/a%20b/c?x=1&x=2&y=", content="hi", headers={"X-Test": "t"})
        assert (answer.status_code, answer.headers["x-made"]) == (201, "yes")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "method": "POST",
            "path": "/seen/a b/c",
            "query": [["x", "1"], ["x", "2"], ["y", ""]],
            "x": "t",
            "body": "hi",
            "main": False,
        }
        assert (await client.get("/seen")).json()["path"] == "/seen"
        assert (await client.put("/seen")).status_code == 405
        answer = await client.get("/pieces")
        assert (answer.text, answer.headers["content-type"]) == ("one\ntwo\n", "text/plain")
        assert (await client.get("/later")).text == "one\ntwo\n"
        assert "/seen" in (await client.get("/openapi.json")).json()["paths"]


WRONG = (
    ("/broken", 500, "dist-web: the handler of /broken raised ValueError in installed_dist_web.py, line "),
    ("/ending", 500, "dist-web: the handler of /ending raised SystemExit in installed_dist_web.py, line "),
    ("/leaving", 500, "dist-web: the handler of /leaving raised SystemExit in installed_dist_web.py, line "),
    ("/wrong", 500, "dist-web: the handler of /wrong returned a int, not an HttpResponse"),
    ("/busy", 503, "try later"),
    ("/stopping", 500, "dist-web: the handler of /stopping raised StopIteration in installed_dist_web.py, line "),
    ("/deaf", 500, "dist-web: the handler of /deaf raised TypeError"),
    ("/letters", 500, "dist-web: the handler of /letters gave a piece that is a str, not bytes"),
    (
        "/split",
        500,
        r"dist-web: the handler of /split returned the header x-a with '1\r\nx-b: 2', which is no value",
    ),
    ("/spaced", 500, "dist-web: the handler of /spaced returned the header 'x a', which is no name"),
    ("/typed", 500, "dist-web: the handler of /typed returned the header content-type with "),
    ("/endless", 500, "dist-web: the handler of /endless returned the header content-length, which the server "),
    ("/wide", 500, "dist-web: the handler of /wide returned the header x-a with '\u263a', which is no value"),
    ("/early", 500, "dist-web: the handler of /early returned the status 101, which is none of an answer"),
    ("/text", 500, "dist-web: the handler of /text returned a body that is a str, not bytes or an asynchronous "),
)


async def test_what_a_handler_does_wrong_is_one_error_with_its_name(web, caplog):
    async with web() as client:
        for path, status, message in WRONG:
            caplog.clear()
            answer = await client.get(path)
            assert (answer.status_code, list(answer.json())) == (status, ["error"])
            assert answer.json()["error"].startswith(message)
            assert "secret" not in answer.text
            assert ("(plugin dist-web)" in caplog.text) is (status == 500)
        assert (await client.get("/api/version")).status_code == 200


async def test_an_answer_that_breaks_off_is_in_the_log_and_clients_can_tell(web, caplog):
    async with web() as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await client.get("/cut")
        assert (await client.get("/pieces")).status_code == 200
    assert "the handler of /cut raised ValueError" in caplog.text


async def test_handlers_that_never_return_take_only_their_own_threads(web):
    async with web() as client:
        import installed_dist_web

        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(client.get("/waiting")) for _ in range(plugin_routes.MOST_THREADS + 1)]
            for _ in range(plugin_routes.MOST_THREADS):
                await asyncio.to_thread(installed_dist_web.inside.acquire)
            for task in asking[:-1]:  # their clients leave, and they go on
                task.cancel()
            # What the server does in threads, it still does.
            assert (await client.post("/api/show", json={"model": "none"})).status_code == 404
            assert not installed_dist_web.inside.acquire(blocking=False)
            installed_dist_web.gate.set()
            assert (await asking[-1]).text == "done"


async def test_what_guards_the_servers_routes_guards_these(web, monkeypatch):
    monkeypatch.setattr(plugin_routes, "LARGEST_BODY", 1000)
    async with web() as client:
        assert (await client.get("/seen", headers={"Origin": "http://evil.example"})).status_code == 403
        assert (await client.get("/seen", headers={"Host": "evil.example"})).status_code == 403
        assert (await client.post("/seen", content=b"x" * 1001)).status_code == 413
        assert (await client.get("/seen/", follow_redirects=True)).json()["path"] == "/seen"
        # Whoever leaves in the middle of a request harms nobody.
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(b"POST /seen HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
        assert (await client.get("/seen")).status_code == 201


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/chat", "POST"),
        ("/api/chat", "GET"),
        ("/v1/models/mine", "GET"),
        ("/v1/models/*", "PUT"),
        ("/metrics", "GET"),
    ],
)
async def test_the_servers_own_routes_cannot_be_taken(web, path, method):
    route = f'Route("{path}", lambda _: HttpResponse(), frozenset({{"{method}"}}))'
    source = f"from camelid import HttpResponse, Route\n@hookimpl\ndef camelid_routes(register): register({route})"
    with pytest.raises(ConfigurationError, match=r"dist-web wants to answer .* which is answered already; take"):
        async with web(source):
            pass


async def test_plugins_of_one_path_get_along_until_both_are_named(tmp_path, install, run_server):
    source = """
    from camelid import HttpResponse, Route
    @hookimpl
    def camelid_routes(register): register(Route("/same", lambda _: HttpResponse(b"{name}")))
    """
    for name in ("one", "two"):
        install(name, source.replace("{name}", name))

    def serve(*routes: str):
        settings = Settings(models=tmp_path / "models", host="127.0.0.1:0", plugins=("one", "two"), routes=routes)
        return run_server(settings)

    async with serve("two") as client:
        assert (await client.get("/same")).text == "two"
    with pytest.raises(ConfigurationError, match="dist-two wants to answer GET /same, which is answered already"):
        async with serve("one", "two"):
            pass


@pytest.mark.parametrize(
    ("source", "named", "why"),
    [
        ("", "web", "the setting routes names the plugin 'web', which is loaded, but has no routes"),
        ("1 / 0", "web", "which is broken, dist-web cannot be imported"),
        ("", "ghost", "'ghost', which is not installed"),
    ],
)
async def test_a_setting_that_cannot_be_followed_ends_the_start(web, source, named, why):
    with pytest.raises(ConfigurationError, match=why):
        async with web(source, (named,)):
            pass
