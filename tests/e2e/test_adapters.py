"""A model with a LoRA adapter, from the upload to its answer."""

import hashlib
from pathlib import Path

import pytest

from camelid.testing.tiny_lora import lora_matrices, write_adapter

ASK = {"prompt": "Once upon a time", "raw": True, "stream": False, "options": {"temperature": 0, "num_predict": 8}}


def _adapter(path: Path, *, architecture: str = "llama") -> bytes:
    shapes = {f"blk.{layer}.ffn_down.weight": (576, 1536) for layer in (0, 20)}
    return write_adapter(path, lora_matrices(shapes), architecture=architecture).read_bytes()


def _create(server, name: str, content: bytes):
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert server.http.post(f"/api/blobs/{digest}", content=content).status_code in (200, 201)
    created = server.post(
        "/api/create", model=name, adapters={"lora.gguf": digest}, stream=False, **{"from": "smollm2:135m"}
    )
    assert created.json() == {"status": "success"}, created.text
    return digest


def _answer(server, model: str) -> str:
    answer = server.post("/api/generate", model=model, **ASK)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"]


def test_an_adapter_changes_what_the_model_says(server, tmp_path):
    digest = _create(server, "adapted", _adapter(tmp_path / "lora.gguf"))
    plain, adapted = _answer(server, "smollm2:135m"), _answer(server, "adapted")
    assert plain
    assert adapted
    assert adapted != plain
    assert _answer(server, "smollm2:135m") == plain
    shown = server.post("/api/show", model="adapted").json()
    (line,) = (line for line in shown["modelfile"].splitlines() if line.startswith("ADAPTER"))
    assert line.endswith(digest.replace(":", "-"))


def test_embeddings_are_adapted_too(server, tmp_path):
    _create(server, "adapted", _adapter(tmp_path / "lora.gguf"))
    plain, adapted = (
        server.post("/api/embed", model=model, input="a cat").json()["embeddings"][0]
        for model in ("smollm2:135m", "adapted")
    )
    assert adapted != pytest.approx(plain, abs=1e-3)


def test_an_adapter_for_another_model_is_one_clear_error(server, tmp_path):
    _create(server, "foreign", _adapter(tmp_path / "lora.gguf", architecture="qwen2"))
    answer = server.post("/api/generate", model="foreign", **ASK)
    assert answer.status_code == 500
    assert "made for another model" in answer.json()["error"]
    assert _answer(server, "smollm2:135m")
