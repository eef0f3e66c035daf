"""ONNX models over a socket: made from a folder or from uploads, shown, prompted, held to a schema, embedded."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from camelid.testing.tiny_onnx import CHAT_TEMPLATE, CONTEXT, write_encoder, write_language_model

GREEDY = {"temperature": 0, "num_predict": 24, "num_ctx": 512}
SMOLLM2 = next(
    (found for up in Path(__file__).parents if (found := up / "shared/models/smollm2-135m-onnx").is_dir()), None
)


@pytest.fixture(scope="module")
def server(run_server, tmp_path_factory):
    """A server with two tiny ONNX models: one made by the command line from a folder, one from uploaded blobs."""
    folder = tmp_path_factory.mktemp("onnx")
    running = run_server(folder)
    create(running, "tiny", write_language_model(folder / "tiny"))
    upload(running, "encoder", write_encoder(folder / "encoder"))
    return running


def create(server, name: str, folder: Path, *lines: str) -> None:
    modelfile = folder.with_suffix(".Modelfile")
    modelfile.write_text("\n".join([f"FROM {folder}", *lines]))
    command = [sys.executable, "-m", "camelid", "create", name, "-f", str(modelfile)]
    environment = {"OLLAMA_HOST": server.url, "PATH": "/usr/bin:/bin", "HOME": str(folder.parent)}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def upload(server, name: str, folder: Path, **body: object):
    files = {}
    for path in folder.rglob("*"):
        if path.is_file():
            digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
            assert server.http.post(f"/api/blobs/{digest}", content=path.read_bytes()).status_code in (200, 201)
            files[path.relative_to(folder).as_posix()] = digest
    return server.post("/api/create", model=name, files=files, stream=False, **body)


def test_a_folder_becomes_named_layers(server):
    path = server.models / "manifests/registry.ollama.ai/library/tiny/latest"
    layers = {layer["name"]: layer["mediaType"] for layer in json.loads(path.read_bytes())["layers"]}
    model, companion = (f"application/vnd.ollama.image.{kind}" for kind in ("model", "json"))
    assert layers == {
        "model.onnx": model,
        "model.onnx.data": model,
        "chat_template.jinja": companion,
        "genai_config.json": companion,
        "tokenizer.json": companion,
        "tokenizer_config.json": companion,
    }
    assert next(iter(layers)) == "model.onnx"


def test_lists_and_show_say_the_format(server):
    listed = {model["name"]: model["details"] for model in server.http.get("/api/tags").json()["models"]}
    assert {name: details["format"] for name, details in listed.items()} == {
        "tiny:latest": "onnx",
        "encoder:latest": "onnx",
    }
    shown = server.post("/api/show", model="tiny").json()
    assert (shown["details"]["format"], shown["details"]["family"]) == ("onnx", "llama")
    assert shown["capabilities"] == ["completion"]
    assert shown["model_info"]["llama.context_length"] == CONTEXT
    assert shown["template"] == CHAT_TEMPLATE
    assert server.post("/api/show", model="encoder").json()["capabilities"] == ["embedding"]


def test_what_show_prints_makes_the_same_model(server):
    modelfile = server.post("/api/show", model="tiny").json()["modelfile"]
    answer = server.post("/api/create", model="again", modelfile=modelfile, stream=False)
    assert answer.json() == {"status": "success"}
    digests = {model["name"]: model["size"] for model in server.http.get("/api/tags").json()["models"]}
    assert digests["again:latest"] == digests["tiny:latest"]
    server.http.request("DELETE", "/api/delete", json={"model": "again"})


def test_a_chat_goes_through_the_folders_template(server):
    turns = [{"role": "user", "content": "ping pong ping pong ping"}]
    answer = server.post("/api/chat", model="tiny", messages=turns, options=GREEDY, stream=False).json()
    prompt = "user\nping pong ping pong ping\nassistant\n"
    begin, turns_and_ends = 1, 3
    assert answer["prompt_eval_count"] == begin + turns_and_ends + len(prompt)
    running = server.http.get("/api/ps").json()["models"][0]
    assert running["backend"] == "onnx"
    assert running["runtime"].startswith("onnxruntime-genai ")
    assert running["runtime"].endswith(" on CPU")


def test_patterns_go_on_with_log_probabilities(server):
    body = {
        "model": "tiny",
        "prompt": "red green blue red green blue red",
        "raw": True,
        "stream": False,
        "options": GREEDY,
    }
    answer = server.post("/api/generate", **body, logprobs=True, top_logprobs=2).json()
    assert answer["response"] == " green blue red green bl"
    assert all(entry["logprob"] > -0.1 for entry in answer["logprobs"])
    assert len(answer["logprobs"]) == 24
    stopped = server.post("/api/generate", **{**body, "options": {**GREEDY, "stop": ["blue"]}}).json()
    assert (stopped["response"], stopped["done_reason"]) == (" green ", "stop")


def test_an_answer_is_held_to_a_schema(server):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    body = {"model": "tiny", "prompt": '{"ok": true} {"ok": true} ', "raw": True, "stream": False}
    answer = server.post("/api/generate", **body, format=schema, options=GREEDY).json()
    assert json.loads(answer["response"]) == {"ok": True}


def test_embeddings_of_an_encoder(server):
    texts = ["a cat on a mat", "the cat on the mat", "9876 54321"]
    answer = server.post("/api/embed", model="encoder", input=texts).json()
    vectors = np.array(answer["embeddings"])
    assert vectors.shape == (3, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    refused = server.post("/api/generate", model="encoder", prompt="hello")
    assert refused.status_code == 400
    assert "does not support generate" in refused.json()["error"]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tokenizer.json", None, "tokenizer.json is missing"),
        ("genai_config.json", b"{}", "genai_config.json cannot be read"),
        ("model.onnx", None, "genai_config.json names 'model.onnx', which is not in the folder"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_when_it_is_made(server, tmp_path, file, content, says):
    folder = write_language_model(tmp_path / "broken")
    (folder / "other.onnx").write_bytes(b"x")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    answer = upload(server, "broken", folder)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_a_file_that_cannot_be_loaded_is_an_error_that_names_it(server, tmp_path):
    folder = write_language_model(tmp_path / "damaged")
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: len(content) // 2])
    assert upload(server, "damaged", folder).json() == {"status": "success"}
    answer = server.post("/api/generate", model="damaged", prompt="hello")
    assert answer.status_code == 500
    assert "model.onnx is no ONNX file, or a damaged one" in answer.json()["error"]
    assert server.post("/api/generate", model="tiny", prompt="x", stream=False, options=GREEDY).status_code == 200


def test_a_provider_that_is_not_there_names_its_package(server):
    options = {**GREEDY, "backend_options": {"provider": "cuda"}}
    answer = server.post("/api/generate", model="tiny", prompt="hello", options=options)
    assert answer.status_code == 500
    assert "camelid-onnx[cuda]" in answer.json()["error"]


def test_no_folder_of_links_stays(server):
    assert not [path for path in (server.models / "blobs").iterdir() if path.name.startswith(".making-")]


if SMOLLM2 is not None:

    def test_the_sky_is_blue(server, tmp_path):
        assert SMOLLM2 is not None
        create(server, "smollm2", shutil.copytree(SMOLLM2, tmp_path / "smollm2"))
        turns = [{"role": "user", "content": "Why is the sky blue?"}]
        options = {**GREEDY, "num_predict": 48}
        answer = server.post("/api/chat", model="smollm2", messages=turns, options=options, stream=False).json()
        assert "sky" in answer["message"]["content"]
        schema = {"type": "object", "properties": {"color": {"enum": ["blue", "red"]}}, "required": ["color"]}
        held = server.post("/api/chat", model="smollm2", messages=turns, format=schema, options=options, stream=False)
        assert json.loads(held.json()["message"]["content"])["color"] in ("blue", "red")
