"""`camelid convert` over a socket: GGUF of a folder, and what is refused where ONNX cannot be made.

The packages that make ONNX are not installed where these tests run, so no model builder runs here.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

LAYERS, HIDDEN, INNER, VOCABULARY = 1, 64, 64, 259
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@pytest.fixture(scope="module")
def maker(run_server, tmp_path_factory):
    """A server without any model."""
    return run_server(tmp_path_factory.mktemp("maker"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tiny Llama as a folder on Hugging Face has it."""
    (folder := tmp_path / "Tiny").mkdir()
    half = np.float16(0.1)
    weights = {name: np.full((VOCABULARY, HIDDEN), half) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    weights["model.norm.weight"] = np.ones(HIDDEN, np.float16)
    layer = "model.layers.0."
    for name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"):
        weights[f"{layer}{name}.weight"] = np.full((HIDDEN, HIDDEN), half)
    for name in ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"):
        weights[f"{layer}{name}.weight"] = np.full((INNER, HIDDEN), half)
    for name in ("input_layernorm", "post_attention_layernorm"):
        weights[f"{layer}{name}.weight"] = np.ones(HIDDEN, np.float16)
    header, offset = {}, 0
    for name, tensor in weights.items():
        header[name] = {"dtype": "F16", "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    described = json.dumps(header).encode()
    content = len(described).to_bytes(8, "little") + described + b"".join(map(bytes, weights.values()))
    (folder / "model.safetensors").write_bytes(content)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = 256 - len(printable)
    vocabulary = [*SPECIAL, *map(chr, printable), *(chr(256 + place) for place in range(others))]
    tokenizer = {
        "added_tokens": [{"id": place, "content": text, "special": True} for place, text in enumerate(SPECIAL)],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": {text: place for place, text in enumerate(vocabulary)}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


def convert(server, *arguments: str, within: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "camelid", "convert", *arguments]
    environment = {"OLLAMA_HOST": server.url, "PATH": "/usr/bin:/bin", "HOME": str(within), "NO_COLOR": "1"}
    return subprocess.run(
        command, check=False, env=environment, cwd=within, capture_output=True, text=True, timeout=120
    )


def details(server, model: str) -> dict:
    return server.post("/api/show", model=model).json()["details"]


def names(server) -> set[str]:
    return {row["name"] for row in server.http.get("/api/tags").json()["models"]}


def test_a_folder_becomes_a_gguf_model_that_is_called_like_it(maker, folder):
    done = convert(maker, "./Tiny", "--to", "gguf", within=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "converting model" in done.stderr
    assert details(maker, "tiny:gguf")["format"] == "gguf"
    done = convert(maker, ".", "--to", "gguf", "small", "-q", "q8_0", within=folder)
    assert done.returncode == 0, done.stderr
    assert details(maker, "small")["quantization_level"] == "Q8_0"


@pytest.mark.parametrize("form", ["onnx", "gguf"])
def test_only_safetensors_are_converted(maker, folder, form):
    done = convert(maker, "./Tiny", "--to", "gguf", "source", within=folder.parent)
    assert done.returncode == 0, done.stderr
    done = convert(maker, "source", "--to", form, "result", within=folder.parent)
    assert done.returncode == 1
    assert f"only safetensors can be converted to {form}" in done.stderr
    assert "result:latest" not in names(maker)


def test_onnx_without_its_packages_names_the_extra_to_install(maker, folder):
    assert find_spec("torch") is None, "where PyTorch is, the builder would run"
    done = convert(maker, "./Tiny", "--to", "onnx", "graph", within=folder.parent)
    assert done.returncode == 1
    assert "python -m pip install 'camelid-onnx[cpu,convert]'" in done.stderr
    assert "graph:latest" not in names(maker)
    assert not list((maker.models / "blobs").glob(".making-*"))


def test_a_type_that_onnx_does_not_have_names_those_that_it_has(maker, folder):
    done = convert(maker, "./Tiny", "--to", "onnx", "graph", "-q", "q4_K_M", within=folder.parent)
    assert done.returncode == 1
    assert "supported types for onnx are F32, INT8, INT4" in done.stderr


def test_other_formats_are_refused(maker):
    answer = maker.post("/api/create", model="x", format="pickle", **{"from": "tiny"})
    assert answer.json()["error"] == "models can be converted to gguf or onnx, not to 'pickle'"


def test_the_converter_is_listed(maker):
    command = [sys.executable, "-m", "camelid", "plugins"]
    listed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "converter genai-model-builder" in listed.stdout
