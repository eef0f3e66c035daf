"""Models made of safetensors, of pieces, and with smaller numbers: from the upload to the first answer."""

import hashlib
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import gguf
import httpx
import numpy as np
import pytest

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS = 256, 512, 2, 4, 2
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
ASK = {"messages": [{"role": "user", "content": "Hello"}], "stream": False}
GREEDY = {"temperature": 0, "num_predict": 8, "num_ctx": 256}


@pytest.fixture(scope="module")
def maker(run_server, tmp_path_factory):
    """A server without any model."""
    return run_server(tmp_path_factory.mktemp("maker"))


def _alphabet() -> list[str]:
    """The 256 bytes as byte-level BPE writes them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place, _ in enumerate(others)]


def _safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F16", "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    described = json.dumps(header).encode()
    return len(described).to_bytes(8, "little") + described + b"".join(map(bytes, tensors.values()))


def tiny_llama(**changes: object) -> dict[str, bytes]:
    """The files of a Llama with random weights, as a folder on Hugging Face has them."""
    chance = np.random.default_rng(7)

    def noise(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * 0.2).astype(np.float16)

    vocabulary = [*SPECIAL, *_alphabet(), "he", "ll"]
    width = HIDDEN // HEADS
    weights = {"model.embed_tokens.weight": noise(len(vocabulary), HIDDEN)}
    weights["lm_head.weight"] = noise(len(vocabulary), HIDDEN)
    weights["lm_head.weight"][: len(SPECIAL)] = 0  # answers do not end at once
    weights["model.norm.weight"] = np.ones(HIDDEN, np.float16)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        for name, shape in (
            ("self_attn.q_proj", (HIDDEN, HIDDEN)),
            ("self_attn.k_proj", (KV_HEADS * width, HIDDEN)),
            ("self_attn.v_proj", (KV_HEADS * width, HIDDEN)),
            ("self_attn.o_proj", (HIDDEN, HIDDEN)),
            ("mlp.gate_proj", (INNER, HIDDEN)),
            ("mlp.up_proj", (INNER, HIDDEN)),
            ("mlp.down_proj", (HIDDEN, INNER)),
        ):
            weights[f"{prefix}.{name}.weight"] = noise(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            weights[f"{prefix}.{name}.weight"] = np.ones(HIDDEN, np.float16)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "torch_dtype": "float16",
        "vocab_size": len(vocabulary),
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    tokenizer = {
        "added_tokens": [{"id": place, "content": text, "special": True} for place, text in enumerate(SPECIAL)],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {text: place for place, text in enumerate(vocabulary)},
            "merges": ["h e", "l l"],
        },
    }
    return {
        "config.json": json.dumps({**config, **changes}).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
        "tokenizer_config.json": json.dumps({"eos_token": "<|im_end|>"}).encode(),
        "model.safetensors": _safetensors(weights),
    }


def tiny_adapter() -> dict[str, bytes]:
    chance = np.random.default_rng(3)
    module = "base_model.model.model.layers.{}.mlp.down_proj.lora_{}.weight"
    matrices = {}
    for layer in range(LAYERS):
        matrices[module.format(layer, "A")] = chance.standard_normal((4, INNER)).astype(np.float16)
        matrices[module.format(layer, "B")] = chance.standard_normal((HIDDEN, 4)).astype(np.float16)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["down_proj"]}
    return {"adapter_config.json": json.dumps(config).encode(), "adapter_model.safetensors": _safetensors(matrices)}


def upload(server, files: dict[str, bytes]) -> dict[str, str]:
    digests = {}
    for name, content in files.items():
        digests[name] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert server.http.post(f"/api/blobs/{digests[name]}", content=content).status_code in (200, 201)
    return digests


def create(server, model: str, **fields: object) -> list[dict]:
    """The lines of a create; the last one must be its success."""
    answer = server.post("/api/create", model=model, **fields)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1] == {"status": "success"}, answer.text
    return lines


def steps(lines: list[dict]) -> list[str]:
    seen = [line["status"].partition(" sha256")[0] for line in lines]
    return [step for place, step in enumerate(seen) if step != (seen[place - 1] if place else "")]


def answer(server, model: str) -> str:
    reply = server.post("/api/chat", model=model, options=GREEDY, **ASK).json()
    assert reply["done"], reply
    assert reply["eval_count"] == 8
    return reply["message"]["content"]


def details(server, model: str) -> dict:
    return server.post("/api/show", model=model).json()["details"]


def litter(server) -> list[str]:
    """What is in the folder of the blobs and no blob."""
    return [
        path.name for path in (server.models / "blobs").iterdir() if len(path.name) != 71 and path.name != ".leases"
    ]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_folder_of_safetensors_becomes_a_model_that_answers(maker):
    lines = create(maker, "tiny", files=upload(maker, tiny_llama()), template=TEMPLATE, system="Be kind.")
    assert steps(lines) == [
        "converting model",
        "verifying conversion",
        "creating new layer",
        "writing manifest",
        "success",
    ]
    assert details(maker, "tiny") | {"parameter_size": ""} == {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "",
        "quantization_level": "F16",
    }
    assert answer(maker, "tiny") == answer(maker, "tiny")
    assert litter(maker) == []


def test_a_model_is_quantized_and_inherits_the_rest(maker):
    create(maker, "half", files=upload(maker, tiny_llama()), template=TEMPLATE, system="Be kind.")
    for kind in ("q8_0", "Q4_K_M", "q4_k_s", "F32"):
        lines = create(maker, "small", **{"from": "half", "quantize": kind})
        name = f"quantizing F16 model to {kind.upper()}"
        told = [line for line in lines if line["status"] == name]
        assert {line["digest"] for line in told} == {"0000000000000000000"}
        assert told[-1]["completed"] == told[-1]["total"] > 1_000_000
        assert details(maker, "small")["quantization_level"] == kind.upper()
        assert maker.post("/api/show", model="small").json()["system"] == "Be kind."
        answer(maker, "small")
    sizes = {row["name"]: row["size"] for row in maker.http.get("/api/tags").json()["models"]}
    assert sizes["small:latest"] > 1.9 * sizes["half:latest"]


def test_a_conversion_and_its_quantization_in_one_go_leave_nothing_in_between(maker):
    files = upload(maker, tiny_llama(rope_theta=20000.0))
    blobs = maker.models / "blobs"
    before = {path.name for path in blobs.iterdir()}
    create(maker, "direct", files=files, quantization="Q4_K")
    assert details(maker, "direct")["quantization_level"] == "Q4_K_M"
    new = {path.name for path in blobs.iterdir()} - before
    assert len(new) == 2, "the weights and the config"


def test_the_command_line_uploads_a_folder(maker, tmp_path):
    for name, content in tiny_llama().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "lora").mkdir()
    for name, content in tiny_adapter().items():
        (tmp_path / "lora" / name).write_bytes(content)
    (tmp_path / "Modelfile").write_text(f'FROM .\nADAPTER ./lora\nTEMPLATE """{TEMPLATE}"""\n')
    command = [sys.executable, "-m", "camelid", "create", "tuned", "-q", "Q8_0", "-f", str(tmp_path / "Modelfile")]
    environment = {**os.environ, "OLLAMA_HOST": maker.url.removeprefix("http://")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert details(maker, "tuned")["quantization_level"] == "Q8_0"
    create(maker, "plain", files=upload(maker, tiny_llama()), template=TEMPLATE, quantize="Q8_0")
    assert answer(maker, "tuned") != answer(maker, "plain")
    assert "ADAPTER " in maker.post("/api/show", model="tuned").json()["modelfile"]


def test_pieces_are_merged(maker, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama", split_max_tensors=2)
    writer.add_file_type(0)
    for number in range(5):
        writer.add_tensor(f"blk.{number}.attn_norm.weight", np.full(32, number, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    pieces = {path.name: path.read_bytes() for path in tmp_path.glob("m-*.gguf")}
    assert len(pieces) == 3
    digests = upload(maker, pieces)
    assert steps(create(maker, "whole", files=digests))[:2] == ["parsing GGUF", "merging GGUF"]
    tensors = maker.post("/api/show", model="whole", verbose=True).json()["tensors"]
    assert {tensor["name"] for tensor in tensors} == {f"blk.{number}.attn_norm.weight" for number in range(5)}
    del digests["m-00002-of-00003.gguf"]
    refused = maker.post("/api/create", model="part", files=digests, stream=False)
    assert refused.json() == {"error": 'split GGUF "m-00001-of-00003.gguf" has 2 shards, expected 3'}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"quantize": "Q3_X"},
            "unsupported quantization type Q3_X - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0",
        ),
        ({"draft_quantize": "Q8_0"}, "--draft-quantize requires a DRAFT model"),
    ],
)
def test_a_wrong_quantization_is_refused_before_any_work(maker, fields, message):
    refused = maker.post("/api/create", model="bad", files=upload(maker, tiny_llama()), **fields)
    assert (refused.status_code, refused.json()) == (400, {"error": message})


def test_an_architecture_that_nobody_knows_is_one_clear_error(maker):
    files = upload(maker, tiny_llama(architectures=["CamelForCausalLM"]))
    refused = maker.post("/api/create", model="bad", files=files, stream=False)
    assert (refused.status_code, refused.json()) == (400, {"error": 'unsupported architecture "CamelForCausalLM"'})
    last = maker.post("/api/create", model="bad", files=files).text.splitlines()[-1]
    assert json.loads(last) == {"error": 'unsupported architecture "CamelForCausalLM"'}
    assert litter(maker) == []


@pytest.fixture
def converting(start_server):
    """A server with a converter that never comes to an end, and a request to it that has just begun to convert."""
    toys = Path(__file__).parents[2] / "framework" / "tests" / "toy_converters"
    server = start_server(PYTHONPATH=str(toys), CAMELID_PLUGINS="toys")
    files = upload(server, {"model.safetensors": b"weights", "config.json": b'{"trouble": "slow"}'})
    body = {"model": "lost", "files": files}
    with httpx.stream("POST", f"{server.url}/api/create", json=body, timeout=60) as reply:
        lines = reply.iter_lines()
        while "completed" not in json.loads(next(lines)):
            pass
        yield server, reply, lines


def test_a_killed_converter_is_one_clear_error(converting):
    server, _, lines = converting
    [converter] = server.workers()
    converter.kill()
    last = json.loads(list(lines)[-1])
    assert last["error"].startswith("the conversion broke off: killed by SIGKILL")
    assert litter(server) == []
    assert server.http.get("/api/tags").json() == {"models": []}
    good = {"model.safetensors": f"sha256:{hashlib.sha256(b'weights').hexdigest()}"}
    create(server, "good", files=good)


def test_a_client_that_leaves_takes_the_converter_with_it(converting):
    server, reply, _ = converting
    [converter] = server.workers()
    reply.close()
    wait_for(lambda: not converter.is_running())
    wait_for(lambda: not litter(server))
    assert server.http.get("/api/tags").json() == {"models": []}


def test_a_server_that_ends_takes_the_converter_with_it(converting):
    server, _, lines = converting
    [converter] = server.workers()
    assert len(litter(server)) == 1
    server.stop()
    assert json.loads(list(lines)[-1]) == {"error": "the server is shutting down"}
    wait_for(lambda: not converter.is_running())
    assert litter(server) == []


def test_what_a_killed_server_left_is_swept(start_server):
    server = start_server()
    workplace = server.models / "blobs" / ".making-0123456789abcdef"
    half = workplace / "1-target" / "model.gguf"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    long_ago = time.time() - 7200
    for path in (half, half.parent, workplace):
        os.utime(path, (long_ago, long_ago))
    start_server()
    assert litter(server) == []


@pytest.fixture
def folder(tmp_path) -> Path:
    """The tiny Llama in a folder `Tiny`."""
    (folder := tmp_path / "Tiny").mkdir()
    for name, content in tiny_llama().items():
        (folder / name).write_bytes(content)
    return folder


def convert(server, *arguments: str, within: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "camelid", "convert", *arguments]
    environment = {"OLLAMA_HOST": server.url, "PATH": "/usr/bin:/bin", "HOME": str(within), "NO_COLOR": "1"}
    return subprocess.run(
        command, check=False, env=environment, cwd=within, capture_output=True, text=True, timeout=120
    )


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


# The packages that make ONNX are not installed where these tests run, so no model builder runs here.
def test_onnx_without_its_packages_names_the_extra_to_install(maker, folder):
    assert find_spec("onnx_ir") is None, "where its packages are, the builder would run"
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
