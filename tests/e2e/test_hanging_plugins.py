"""Plugins whose functions never return: the server serves everybody else, and ends when it is told to."""

import os
import socket

SOURCE = """
import threading
from camelid import HttpResponse, Route, hookimpl

CAMELID_API = 1
begun = threading.Semaphore(0)

def hang(request):
    begun.release()
    threading.Event().wait()

def begin(request):
    begun.acquire()
    return HttpResponse(b"begun")

@hookimpl
def camelid_routes(register):
    register(Route("/hang", hang))
    register(Route("/begun", begin))

@hookimpl
def camelid_request_finished(event):
    threading.Event().wait()
"""


def test_a_server_with_hanging_plugins_serves_and_ends(start_server, tmp_path):
    info = tmp_path / "site" / "stuck-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stuck\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[camelid]\nstuck = stuck_plugin\n")
    (info.parent / "stuck_plugin.py").write_text(SOURCE)
    path = os.pathsep.join(filter(None, (str(info.parent), os.environ.get("PYTHONPATH", ""))))
    server = start_server(PYTHONPATH=path, CAMELID_ROUTES="stuck")
    server.pull("camelid/echo")
    host, port = server.http.base_url.host, server.http.base_url.port
    for _ in range(6):
        # As many as an event loop has threads on two cores; each client leaves at once.
        with socket.create_connection((host, port)) as connection:
            connection.sendall(f"GET /hang HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert server.http.get("/begun").text == "begun"
    answer = server.post("/api/generate", model="camelid/echo", prompt="hello", stream=False)
    assert answer.json()["response"] == "hello"
    server.process.terminate()
    assert server.process.wait(60) == 0
    assert "the plugin stuck observes too slowly: what waits is dropped" in server.log.read_text()
