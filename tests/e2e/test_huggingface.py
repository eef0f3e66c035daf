"""Models of a Hub, from their name to an answer: a real server, and a Hub on the loopback interface."""

import json
import runpy
from base64 import b64encode
from functools import partial
from hashlib import sha256
from pathlib import Path

import gguf
import pytest

from camelid.testing import tiny_onnx
from camelid.testing.suite.seeing import png
from camelid.testing.tiny_gguf import ProjectorKind, write_language_model, write_projector

LOOPBACK = runpy.run_path(str(Path(__file__).parents[2] / "plugins/camelid-huggingface/tests/loopback_hub.py"))
TEMPLATE = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
GREEDY = {"temperature": 0, "num_predict": 8}


@pytest.fixture(scope="module")
def hub():
    hub = LOOPBACK["LoopbackHub"]()
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def server(hub, run_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    return run_server(folder, HF_ENDPOINT=hub.url, HF_HOME=str(folder / "home"), HF_TOKEN="", HF_HUB_OFFLINE="")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> bytes:
    return write_language_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


def say(server, model: str, **message: object) -> str:
    messages = [{"role": "user", "content": "Why is the sky blue?", **message}]
    answer = server.post("/api/chat", model=model, messages=messages, stream=False, options=GREEDY)
    assert answer.status_code == 200, answer.text
    return answer.json()["message"]["content"]


def test_a_model_is_pulled_by_its_quantization_and_answers(server, hub, tiny):
    hub.add("me/tiny", {"tiny.Q8_0.gguf": tiny, "tiny.Q4_0.gguf": b"GGUF", "system": "Be brief.", "LICENSE": "MIT"})
    lines = [json.loads(line) for line in server.post("/api/pull", model="hf.co/me/tiny:Q8_0").text.splitlines()]
    assert lines[-1] == {"status": "success"}
    digest = f"sha256:{sha256(tiny).hexdigest()}"
    assert {"digest": digest, "total": len(tiny), "completed": len(tiny)}.items() <= next(
        line for line in reversed(lines) if line.get("digest") == digest
    ).items()
    assert server.http.get("/api/tags").json()["models"][0]["name"] == "hf.co/me/tiny:Q8_0"
    shown = server.post("/api/show", model="hf.co/me/tiny:q8_0").json()
    assert (shown["system"], shown["license"]) == ("Be brief.", "MIT")
    assert say(server, "hf.co/me/tiny:Q8_0")


def test_pulling_again_reads_no_file_again(server, hub, tiny):
    hub.add("me/again", {"tiny.Q8_0.gguf": tiny})
    server.pull("hf.co/me/again")
    hub.seen.clear()
    server.pull("hf.co/me/again")
    assert hub.paths("hub") == ["/api/models/me/again?blobs=true"]
    assert hub.paths("cdn") == []


@pytest.fixture
def big(tmp_path, monkeypatch) -> dict[str, bytes]:
    """The same model as `tiny`, in three pieces."""
    with monkeypatch.context() as patch:
        patch.setattr(gguf, "GGUFWriter", partial(gguf.GGUFWriter, split_max_tensors=8))
        write_language_model(tmp_path / "big-F32.gguf")
    pieces = {f"F32/{path.name}": path.read_bytes() for path in tmp_path.glob("*.gguf")}
    assert len(pieces) == 3
    return pieces


def test_a_model_in_pieces_answers_as_the_whole_one(server, hub, tiny, big):
    hub.add("me/big", big, gguf={"total": 136_000_000})
    hub.add("me/whole", {"whole.gguf": tiny})
    server.pull("hf.co/me/big:F32")
    server.pull("hf.co/me/whole")
    assert server.post("/api/show", model="hf.co/me/big:F32").json()["details"]["parameter_size"] == "136M"
    assert say(server, "hf.co/me/big:F32") == say(server, "hf.co/me/whole")


def test_a_model_with_a_projector_sees(server, hub, tiny, tmp_path):
    projector = write_projector(tmp_path / "mmproj.gguf", ProjectorKind.GEMMA3).read_bytes()
    hub.add("me/seeing", {"seeing-Q8_0.gguf": tiny, "mmproj-seeing-F16.gguf": projector})
    server.pull("hf.co/me/seeing")
    assert "vision" in server.post("/api/show", model="hf.co/me/seeing").json()["capabilities"]
    picture = png((250, 200, 40), (230, 60, 30), (40, 20, 60))
    assert say(server, "hf.co/me/seeing", images=[b64encode(picture).decode()])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_onnx_folder_generates(server, hub, tmp_path):
    files = contents(tiny_onnx.write_language_model(tmp_path))
    hub.add("me/onnx", {f"cpu-int4/{name}": content for name, content in files.items()})
    server.pull("hf.co/me/onnx")
    shown = server.post("/api/show", model="hf.co/me/onnx").json()
    assert (shown["details"]["format"], shown["capabilities"]) == ("onnx", ["completion"])
    answer = server.post(
        "/api/generate", model="hf.co/me/onnx", prompt="abcabcab", raw=True, stream=False, options=GREEDY
    )
    assert answer.json()["response"] == "cabcabca"


def test_an_onnx_encoder_embeds(server, hub, tmp_path):
    hub.add("me/encoder", contents(tiny_onnx.write_encoder(tmp_path)), pipeline_tag="sentence-similarity")
    server.pull("hf.co/me/encoder")
    [same, other, again] = server.post("/api/embed", model="hf.co/me/encoder", input=["a", "b", "a"]).json()[
        "embeddings"
    ]
    assert same == again != other


@pytest.fixture(scope="module")
def raw() -> dict[str, bytes]:
    """A model in safetensors."""
    files: dict[str, bytes] = runpy.run_path(str(Path(__file__).with_name("test_create.py")))["tiny_llama"]()
    return {**files, "template": TEMPLATE.encode()}


def test_safetensors_become_a_model_of_the_type_that_the_tag_says(server, hub, raw):
    hub.add("me/raw", raw)
    lines = [
        json.loads(line)["status"] for line in server.post("/api/pull", model="hf.co/me/raw:Q8_0").text.splitlines()
    ]
    assert lines[0] == "pulling manifest"
    assert "converting model" in lines
    assert (lines.count("success"), lines[-1]) == (1, "success")
    details = server.post("/api/show", model="hf.co/me/raw:Q8_0").json()["details"]
    assert (details["format"], details["quantization_level"]) == ("gguf", "Q8_0")
    left = f"sha256-{sha256(raw['model.safetensors']).hexdigest()}"
    assert not (server.models / "blobs" / left).exists(), "what it was made of is not needed any more"
    assert say(server, "hf.co/me/raw:Q8_0")


def test_a_model_is_made_from_safetensors_of_the_hub(server, hub, raw):
    hub.add("me/base", raw)
    answer = server.post("/api/create", model="mine", **{"from": "hf.co/me/base"}, system="Be kind.", stream=False)
    assert answer.json() == {"status": "success"}
    assert server.post("/api/show", model="mine").json()["details"]["quantization_level"] == "F16"
    assert say(server, "mine")
    refused = server.post("/api/chat", model="hf.co/me/base", messages=[{"role": "user", "content": "Hi"}])
    assert refused.status_code == 400
    assert "'safetensors'" in refused.json()["error"]
    hub.seen.clear()
    server.pull("hf.co/me/base")
    assert hub.seen == [], "what is here already is only converted"
    assert say(server, "hf.co/me/base")


def test_a_model_in_pieces_is_quantized(server, hub, big):
    hub.add("me/large", big)
    answer = server.post("/api/create", model="small", **{"from": "hf.co/me/large"}, quantize="Q8_0", stream=False)
    assert answer.json() == {"status": "success"}
    assert server.post("/api/show", model="small").json()["details"]["quantization_level"] == "Q8_0"
    assert say(server, "small")


def test_what_the_hub_does_not_have_is_a_sentence(server, hub):
    hub.add("me/gated", {"tiny.Q8_0.gguf": b"GGUF for few"}, gated=True)
    for name, words in (
        ("me/nothing", "is not on the Hub, or is private or gated"),
        ("me/gated", "accept its license"),
    ):
        answer = server.post("/api/pull", model=f"hf.co/{name}", stream=False)
        assert answer.status_code == 500
        assert words in answer.json()["error"]
    assert "hf.co/me/gated:latest" not in [model["name"] for model in server.http.get("/api/tags").json()["models"]]
