"""A Camelid in front of a Camelid, over sockets, as people and clients use it."""

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

NAME = "upstream://lab/smollm2:135m"
QUESTION = [{"role": "user", "content": "Why is the sky blue?"}]


@pytest.fixture(scope="module")
def front(serve) -> Iterator[httpx.Client]:
    """A server whose models are the upstream's."""
    with serve() as server, httpx.Client(base_url=server.url, timeout=100) as http:
        yield http


@pytest.fixture(scope="module")
def model(front) -> str:
    pulled = front.post("/api/pull", json={"model": NAME, "stream": False})
    assert pulled.json() == {"status": "success"}, pulled.text
    return NAME


def chat(http: httpx.Client | None, url: str, name: str, **fields: object) -> dict:
    asked = {"model": name, "messages": QUESTION, "stream": False, "options": {"temperature": 0, "num_predict": 40}}
    answer = (http or httpx).post(f"{url}/api/chat", json=asked | fields, timeout=100)
    return answer.json()


def test_the_prompt_is_the_upstreams_own(front, model, upstream):
    ours, theirs = (
        chat(*which, _debug_render_only=True)["_debug_info"]["rendered_template"]
        for which in ((front, "", model), (None, upstream.url, "smollm2:135m"))
    )
    assert ours == theirs
    assert "<|im_start|>user\nWhy is the sky blue?<|im_end|>" in ours


def test_the_answer_is_the_upstreams(front, model):
    answer = chat(front, "", model)
    # Which words they are depends on how llama.cpp rounds, so on what else the upstream computes.
    assert len(answer["message"]["content"].split()) > 5
    assert answer["done_reason"] == "length"


def test_an_answer_is_streamed(front, model):
    asked = {"model": model, "messages": QUESTION, "options": {"temperature": 0, "num_predict": 40}}
    with front.stream("POST", "/api/chat", json=asked) as response:
        lines = [json.loads(line) for line in response.iter_lines()]
    pieces = [line["message"]["content"] for line in lines]
    assert len("".join(pieces).split()) > 5
    assert len(list(filter(None, pieces))) > 1
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


def test_stop_strings_are_looked_for_here(front, model):
    options = {"temperature": 0, "num_predict": 100, "stop": [" the"]}
    answer = chat(front, "", model, options=options)
    assert " the" not in answer["message"]["content"]
    assert answer["done_reason"] == "stop"


def test_it_is_a_model_like_any_other(front, model):
    chat(front, "", model)
    shown = front.post("/api/show", json={"model": model}).json()
    assert (shown["details"]["format"], shown["backend"]) == ("upstream", "upstream")
    assert "<|im_start|>" in shown["template"]
    (row,) = [row for row in front.get("/api/ps").json()["models"] if "smollm2" in row["name"]]
    assert (row["runtime"], row["context_length"]) == ("smollm2:135m on lab", 131072)


def test_a_model_is_made_of_a_file_and_a_template(front, tmp_path):
    file = {"camelid_backend": "upstream", "upstream": "lab", "model": "camelid/echo", "accepts": ["raw"]}
    (tmp_path / "echo.json").write_text(json.dumps(file))
    modelfile = "FROM ./echo.json\nTEMPLATE I hear {{ .Prompt }}\nPARAMETER num_ctx 8192\n"
    (tmp_path / "Modelfile").write_text(modelfile)
    command = [sys.executable, "-m", "camelid", "create", "parrot", "-f", str(tmp_path / "Modelfile")]
    made = subprocess.run(
        command, env={"OLLAMA_HOST": str(front.base_url)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr
    answer = chat(front, "", "parrot", options={"temperature": 0})
    assert answer["message"]["content"] == f"I hear {QUESTION[0]['content']}"


def test_what_it_cannot_do_is_refused(front, model):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert "does not support constraints" in chat(front, "", model, format=schema)["error"]
    refused = front.post("/api/embed", json={"model": model, "input": "a"})
    assert (refused.status_code, "does not support embedding" in refused.text) == (400, True)


def test_an_upstream_nobody_allowed_is_not_asked(front, tmp_path):
    refused = front.post("/api/pull", json={"model": "upstream://169.254.169.254/x", "stream": False})
    assert refused.status_code == 500
    assert "lists no upstream called 169.254.169.254" in refused.json()["error"]


def test_an_upstream_that_is_gone_is_one_error(serve):
    with serve() as upstream, serve(UPSTREAMS=f"lab={upstream.url}") as server:
        httpx.post(f"{upstream.url}/api/pull", json={"model": "camelid/echo", "stream": False}, timeout=60)
        name = "upstream://lab/camelid/echo"
        httpx.post(f"{server.url}/api/pull", json={"model": name, "stream": False}, timeout=60)
        assert chat(None, server.url, name)["message"]["content"] == QUESTION[0]["content"]
        upstream.process.kill()
        upstream.process.wait()
        assert "the upstream lab at http://127.0.0.1:" in chat(None, server.url, name)["error"]
        assert httpx.get(f"{server.url}/api/version").status_code == 200
