"""The same model on several runtimes: `camelid compare` on a real server, with the real model."""

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from camelid.testing.tiny_ggml import write_ggml_model

MODEL = "smollm2:135m"
SMOLLM2 = next(
    (found for up in Path(__file__).parents if (found := up / "shared/models/smollm2-135m-onnx").is_dir()), None
)
NOISE = 0.05
"""Nats for each token. Two ways to compute with the same quantised weights came to 0.004; other weights of the same
model, quantised otherwise, to 0.5."""


@pytest.fixture(scope="module")
def server(run_server, tmp_path_factory):
    """A server with the real model."""
    running = run_server(tmp_path_factory.mktemp("compare"))
    running.pull()
    return running


def compare(server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "camelid", "compare", *arguments],
        env={**os.environ, "OLLAMA_HOST": server.url},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def results(server, *arguments: str) -> list[dict]:
    ended = compare(server, *arguments, "--json", "-")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)["results"]


def test_two_runtimes_of_the_same_weights_agree_within_their_noise(server, record_property):
    asked = {"models": [MODEL], "backends": ["llamacpp", "ctransformers"], "options": {"num_thread": 1, "num_ctx": 512}}
    body = {**asked, "prompts": ["Why is the sky blue?"], "tokens": 12}
    with server.http.stream("POST", "/api/compare", json=body) as reply:
        found = [json.loads(line) for line in reply.iter_lines()]
    answers = [line["answer"] for line in found if "answer" in line]
    assert [answer["tokens"] for answer in answers] == [12, 12]
    assert all(answer["resident_memory"] > 50_000_000 for answer in answers)
    agreement = found[-1]["agreement"]
    divergences = [position["divergence"] for position in agreement["positions"]]
    record_property("KL of ctransformers from llama.cpp, nats for each token", agreement["mean_divergence"])
    assert len(divergences) == 12
    assert 0 < agreement["mean_divergence"] < NOISE
    assert max(divergences) < 5 * NOISE
    assert agreement["same_top"] >= 0.5
    assert agreement["same_tokens"] >= 1


@pytest.mark.skipif(SMOLLM2 is None, reason="the ONNX folder of the real model is not here")
def test_the_same_model_as_onnx_has_the_same_vocabulary(server, tmp_path):
    (tmp_path / "Modelfile").write_text(f"FROM {SMOLLM2}\n")
    command = [sys.executable, "-m", "camelid", "create", "smollm2-onnx", "-f", str(tmp_path / "Modelfile")]
    subprocess.run(command, env={**os.environ, "OLLAMA_HOST": server.url}, check=True, timeout=100, capture_output=True)
    first, second = results(server, MODEL, "smollm2-onnx", "--tokens", "16")
    assert (first["loaded"]["backend"], second["loaded"]["backend"]) == ("llamacpp", "onnx")
    agreement = second["agreement"]
    assert agreement["note"] == ""
    assert len(agreement["positions"]) == first["answer"]["tokens"]
    assert 0 < agreement["mean_divergence"] < 2


def test_another_vocabulary_leaves_the_texts(server, tmp_path):
    content = write_ggml_model(tmp_path / "model.bin", "gpt2").read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert server.http.post(f"/api/blobs/{digest}", content=content).status_code in (200, 201)
    server.post("/api/create", model="tiny", files={"model.bin": digest}, stream=False).raise_for_status()
    _, tiny = results(server, MODEL, "tiny", "--tokens", "4", "--prompt", "Hello")
    assert tiny["agreement"]["note"] == "the vocabularies differ: only texts are compared"
    assert tiny["agreement"]["same_tokens"] is None


def test_a_model_agrees_with_itself_in_a_table_and_on_a_page(server, tmp_path):
    page, report = tmp_path / "page.html", tmp_path / "report.json"
    files = ("--json", str(report), "--page", str(page))
    ended = compare(server, MODEL, MODEL, "Why is the sky blue?", "--tokens", "8", *files)
    assert ended.returncode == 0, ended.stderr
    prompt, _, head, *_ = ended.stdout.splitlines()
    assert prompt == "Why is the sky blue?"
    assert " ".join(head.split()) == "MODEL BACKEND FIRST TOKEN TOKENS/S MEMORY SAME TOKENS SAME TOP KL MEAN KL MOST"
    first, second = json.loads(report.read_text())["results"]
    assert first["agreement"] is None
    # The same logits, but for the rounding of half precision and of where tokens lie in the KV cache.
    assert second["agreement"]["mean_divergence"] < 0.01
    assert all(math.isfinite(position["divergence"]) for position in second["agreement"]["positions"])
    assert page.read_text().count("<svg") == 4


def test_a_model_that_is_not_there(server):
    ended = compare(server, MODEL, "nosuchmodel")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "model 'nosuchmodel' not found; if that is a prompt, say --prompt" in ended.stderr
