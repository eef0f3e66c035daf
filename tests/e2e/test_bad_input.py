"""Whatever comes in: a status, a sentence, and a server that stays up."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import textwrap

import pytest

MODEL = "smollm2:135m"


@pytest.fixture(autouse=True)
def _server_stays_up(request):
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        assert server.http.get("/api/version").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"model": 7}', b'{"model":"x","stream":"yes"}', b"[" * 100_000],
)
@pytest.mark.parametrize("path", ["/api/generate", "/api/chat", "/api/embed", "/api/show", "/api/create", "/api/copy"])
def test_malformed_bodies(server, path, body):
    answer = server.http.post(path, content=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]


def _upload(server, content):
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert server.http.post(f"/api/blobs/{digest}", content=content).status_code == 201
    return digest


def _real_model(server):
    (blob,) = [path for path in (server.models / "blobs").iterdir() if path.stat().st_size > 90_000_000]
    return blob.read_bytes()


def test_random_bytes_are_no_model(server):
    digest = _upload(server, os.urandom(65_536))
    answer = server.post("/api/create", model="noise", files={"model.gguf": digest}, stream=False)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_truncated_model_fails_alone(server):
    digest = _upload(server, _real_model(server)[:40_000_000])
    created = server.post("/api/create", model="short", files={"model.gguf": digest}, stream=False)
    if created.status_code == 200:
        answer = server.post("/api/generate", model="short", prompt="Hi", stream=False)
        assert answer.status_code >= 400
        assert answer.json()["error"]
    else:
        assert created.json()["error"]
    assert server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 1}, stream=False).json()[
        "done"
    ]


def test_damaged_tensors_do_not_take_the_server_down(server):
    content = bytearray(_real_model(server))
    content[300:3000] = os.urandom(2700)
    digest = _upload(server, bytes(content))
    created = server.post("/api/create", model="damaged", files={"model.gguf": digest}, stream=False)
    if created.status_code == 200:
        assert server.post("/api/generate", model="damaged", prompt="Hi", stream=False).status_code >= 400
    assert server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 1}, stream=False).json()[
        "done"
    ]


def test_a_digest_that_does_not_match(server):
    digest = f"sha256:{'0' * 64}"
    answer = server.http.post(f"/api/blobs/{digest}", content=b"something else")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f'digest mismatch, expected "{digest}", got "sha256:')
    assert server.http.head(f"/api/blobs/{digest}").status_code == 404


@pytest.mark.parametrize("digest", ["sha256:..", "sha256-" + "g" * 64, "..%2f..%2fetc%2fpasswd", "md5:00"])
def test_a_digest_that_is_none(server, digest):
    assert server.http.post(f"/api/blobs/{digest}", content=b"x").status_code in (400, 404)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"num_ctx": "big"}, "num_ctx"), ({"temperature": []}, "temperature"), ({"stop": "x"}, "stop")],
)
def test_options_of_the_wrong_type_are_named(server, options, words):
    answer = server.post("/api/generate", model=MODEL, prompt="x", options=options)
    assert answer.status_code == 500
    assert words in answer.json()["error"]


def _serve(*flags, timeout=30, **environment):
    command = [sys.executable, "-m", "camelid", "serve", *flags]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env={**os.environ, **environment}, check=False
    )


def test_a_port_in_use_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _serve("--host", f"127.0.0.1:{port}", OLLAMA_MODELS=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_is_named_with_its_neighbour(tmp_path):
    done = _serve(CAMELID_MAX_QUEU="7", OLLAMA_MODELS=str(tmp_path))
    assert done.returncode == 1
    assert "CAMELID_MAX_QUEU" in done.stderr
    assert "max_queue" in done.stderr.lower()


def test_a_broken_plugin_is_a_row_with_its_reason(tmp_path):
    (tmp_path / "shiny_plugin.py").write_text("import a_native_library_that_is_not_there\n")
    info = tmp_path / "shiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shiny\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent("""\
        [camelid]
        shiny = shiny_plugin
    """)
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "camelid", "plugins", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=True)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["shiny"]["status"] == "broken"
    assert "a_native_library_that_is_not_there" in rows["shiny"]["reason"]
    assert rows["llamacpp"]["status"] == "loaded"
