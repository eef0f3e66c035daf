"""The real model on the backend in NumPy that `contrib` has: on a server, and beside llama.cpp."""

import json

import pytest

MODEL = "smollm2:135m"
STORY = "Write a short story about a llama."
NUMPY = {"backend": "numpy", "temperature": 0, "num_ctx": 512}
NOISE = 0.02
"""Nats for each token. llama.cpp rounds states to 8 bits where NumPy keeps all of a number; that came to 0.004."""


@pytest.fixture(scope="module")
def server(run_server, tmp_path_factory):
    """A server with the real model. NumPy's threads wait for each other spinning: one is faster on a busy machine."""
    running = run_server(tmp_path_factory.mktemp("numpy"), OPENBLAS_NUM_THREADS="1")
    running.pull()
    return running


def test_it_knows_the_capital_of_france(server):
    asked = {"model": MODEL, "prompt": "The capital of France is", "raw": True, "stream": False}
    answer = server.post("/api/generate", **asked, options=NUMPY | {"num_predict": 4}).json()
    assert answer["response"].startswith(" Paris.")
    rows = server.http.get("/api/ps").json()["models"]
    assert [(row["backend"], row["runtime"].split()[0]) for row in rows] == [("numpy", "NumPy")]


def test_it_agrees_with_llama_cpp(server, record_property):
    asked = {"models": [MODEL], "backends": ["llamacpp", "numpy"], "prompts": [STORY], "tokens": 20}
    with server.http.stream("POST", "/api/compare", json={**asked, "options": {"num_ctx": 512}}) as reply:
        lines = [json.loads(line) for line in reply.iter_lines()]
    first, second = (line["answer"] for line in lines if "answer" in line)
    agreement = lines[-1]["agreement"]
    record_property("KL of numpy from llama.cpp, nats for each token", agreement["mean_divergence"])
    assert (first["tokens"], second["tokens"], len(agreement["positions"])) == (20, 20, 20)
    assert 0 < agreement["mean_divergence"] < NOISE
    assert agreement["same_top"] >= 0.85
    assert agreement["same_tokens"] >= 10


def test_nobody_gets_it_who_did_not_ask(server):
    assert server.post("/api/show", model=MODEL).json()["backend"] == "llamacpp"
