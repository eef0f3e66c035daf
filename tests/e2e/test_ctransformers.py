"""GGML models, and GGUF ones on the older runtime, over a socket: made, shown, asked for by name, prompted."""

import hashlib
import json

import pytest

from camelid.testing.tiny_ggml import write_ggml_model
from camelid.testing.tiny_gguf import write_language_model

MODEL = "smollm2:135m"
OLDER = {"backend": "ctransformers", "temperature": 0, "num_ctx": 512, "num_thread": 1}


@pytest.fixture(scope="module")
def server(run_server, tmp_path_factory):
    """A server with the real model and a tiny GPT-2 from before GGUF."""
    folder = tmp_path_factory.mktemp("ctransformers")
    running = run_server(folder)
    running.pull()
    upload(running, "tiny", write_ggml_model(folder / "model.bin", "gpt2").read_bytes())
    return running


def upload(server, name: str, content: bytes, **body: object) -> None:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert server.http.post(f"/api/blobs/{digest}", content=content).status_code in (200, 201)
    files = {str(body.pop("file", "model.bin")): digest}
    answer = server.post("/api/create", model=name, files=files, stream=False, **body)
    assert answer.json() == {"status": "success"}, answer.text


def test_an_older_file_is_a_model(server):
    shown = server.post("/api/show", model="tiny").json()
    assert shown["details"]["format"] == "ggml"
    assert shown["capabilities"] == ["completion"]
    (row,) = [row for row in server.http.get("/api/tags").json()["models"] if row["name"] == "tiny:latest"]
    assert row["details"]["format"] == "ggml"


def test_an_older_file_answers_the_same_each_time(server):
    asked = {"model": "tiny", "prompt": "the quick brown", "raw": True, "stream": False}
    options = {"temperature": 0, "num_predict": 12, "num_thread": 1}
    first, second = (server.post("/api/generate", **asked, options=options).json() for _ in range(2))
    assert first["response"] == second["response"]
    assert first["eval_count"] == 12
    (row,) = [row for row in server.http.get("/api/ps").json()["models"] if row["name"] == "tiny:latest"]
    assert (row["backend"], row["runtime"]) == ("ctransformers", "ctransformers 0.2.27")


def test_the_family_may_be_named_in_a_request(server):
    options = {"num_predict": 2, "num_thread": 1, "backend_options": {"model_type": "starcoder"}}
    asked = {"model": "tiny", "prompt": "a", "raw": True, "stream": False}
    assert server.post("/api/generate", **asked, options=options).status_code == 200
    options["backend_options"] = {"model_type": "mpt"}
    refused = server.post("/api/generate", **asked, options=options)
    assert refused.status_code == 500
    assert "is damaged" in refused.json()["error"]
    options["backend_options"] = {"model_type": 7}
    assert "model_type" in server.post("/api/generate", **asked, options=options).json()["error"]


def test_the_real_model_explains_the_sky(server):
    messages = [{"role": "user", "content": "Why is the sky blue?"}]
    asked = {"model": MODEL, "messages": messages, "options": OLDER | {"num_predict": 40}}
    with server.http.stream("POST", "/api/chat", json=asked) as response:
        lines = [json.loads(line) for line in response.iter_lines()]
    answer = "".join(line["message"]["content"] for line in lines)
    assert "blue" in answer
    assert lines[-1]["done"]
    (row,) = [row for row in server.http.get("/api/ps").json()["models"] if row["name"] == MODEL]
    assert (row["backend"], row["context_length"]) == ("ctransformers", 512)
    (made,) = (server.models / ".camelid" / "ctransformers").iterdir()
    assert made.name.startswith("sha256-")


def test_the_real_model_keeps_to_a_schema(server):
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["blue", "green"]}, "sure": {"type": "boolean"}},
        "required": ["colour", "sure"],
    }
    messages = [{"role": "user", "content": "Which colour has the sky? Answer as JSON."}]
    answer = server.post("/api/chat", model=MODEL, messages=messages, format=schema, stream=False, options=OLDER)
    found = json.loads(answer.json()["message"]["content"])
    assert found["colour"] in ("blue", "green")
    assert isinstance(found["sure"], bool)


def test_what_it_does_not_do_is_refused(server):
    refused = server.post("/api/embed", model=MODEL, input="a", options=OLDER)
    assert refused.status_code == 400
    assert refused.json()["error"] == f"{MODEL} does not support embedding on the backend ctransformers"


def test_a_damaged_file_is_one_error(server, tmp_path):
    content = write_ggml_model(tmp_path / "model.bin", "gptneox").read_bytes()
    upload(server, "half", content[: len(content) // 2])
    refused = server.post("/api/generate", model="half", prompt="a", stream=False)
    assert refused.status_code == 500
    assert "the file of model 'half:latest' is damaged" in refused.json()["error"]
    assert server.http.get("/api/version").status_code == 200


def test_what_the_older_runtime_cannot_compute_names_the_other(server, tmp_path):
    upload(server, "other", write_language_model(tmp_path / "m.gguf", "qwen2vl").read_bytes(), file="m.gguf")
    refused = server.post("/api/generate", model="other", prompt="a", stream=False, options=OLDER)
    assert refused.status_code == 500
    assert "no architecture 'qwen2vl'" in refused.json()["error"]
    assert "the backend llamacpp may" in refused.json()["error"]


def test_a_modelfile_may_name_backend_and_family(server):
    parameters = {"backend": "ctransformers", "backend_options": {"model_type": "starcoder"}, "num_thread": 1}
    made = server.post("/api/create", model="named", **{"from": "tiny"}, parameters=parameters, stream=False)
    assert made.json() == {"status": "success"}
    shown = server.post("/api/show", model="named").json()
    assert shown["backend"] == "ctransformers"
    assert shown["backend_reason"] == "the model's parameter backend names it"
    assert 'PARAMETER backend_options {"model_type":"starcoder"}' in shown["modelfile"]
    options = {"num_predict": 2, "num_ctx": 128}
    answered = server.post("/api/generate", model="named", prompt="a", raw=True, stream=False, options=options)
    assert answered.json()["eval_count"] == 2


def test_show_and_ps_say_which_backend_and_why(server):
    shown = server.post("/api/show", model=MODEL).json()
    assert shown["backend"] == "llamacpp"
    assert shown["backend_reason"] == "it goes before others that read gguf: ctransformers, numpy"
    options = OLDER | {"num_predict": 1}
    assert server.post("/api/generate", model=MODEL, prompt="a", stream=False, options=options).status_code == 200
    rows = {(row["name"], row["backend"]): row for row in server.http.get("/api/ps").json()["models"]}
    assert rows[MODEL, "ctransformers"]["backend_reason"] == "the request asks for it"


def test_a_setting_names_the_backend_of_a_model(start_server, tmp_path):
    server = start_server(CAMELID_BACKENDS="sea*=ctransformers, tiny:1=ctransformers")
    content = write_language_model(tmp_path / "m.gguf").read_bytes()
    for name in ("tiny:1", "tiny:2"):
        upload(server, name, content, file="m.gguf")
    by_setting, by_priority = (server.post("/api/show", model=name).json() for name in ("tiny:1", "tiny:2"))
    assert by_setting["backend"] == "ctransformers"
    assert by_setting["backend_reason"] == "the setting backends says so for tiny:1"
    assert by_priority["backend"] == "llamacpp"
    asked = {"prompt": "a", "raw": True, "stream": False, "options": {"num_predict": 2, "num_thread": 1}}
    assert server.post("/api/generate", model="tiny:1", **asked).json()["eval_count"] == 2
    assert [row["backend"] for row in server.http.get("/api/ps").json()["models"]] == ["ctransformers"]
