"""LoRA adapters, applied by llama.cpp, against a model with the product added to its weights."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid.types.artifact import FileRole

TOKENS = [5, 17, 40, 33]
CONFIG = {"peft_type": "LORA", "lora_alpha": 6, "r": 3, "bias": "none", "target_modules": ["q_proj"]}


@pytest.fixture
def adapter_folder(tmp_path, golden, weights, write_safetensors):
    """Makes an adapter for all matrices of a family's blocks, and the tensors of the model that it amounts to."""

    def make(family: str, *, config: dict | None = None, scale=lambda name: 2.0, embedding: bool = False):
        folder = tmp_path / f"{family}-adapter"
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps(CONFIG | (config or {})))
        shapes = golden(f"families/{family}.json")["tensors"]
        whole, matrices = {}, {}
        for name, shape in shapes.items():
            whole[name] = weights(name, shape)
            module = f"base_model.model.{name.removesuffix('.weight')}"
            if "_proj" in name and len(shape) == 2:
                first, second = weights(f"{name}A", (3, shape[1])), weights(f"{name}B", (shape[0], 3))
                matrices |= {f"{module}.lora_A.weight": first, f"{module}.lora_B.weight": second}
                whole[name] = whole[name] + scale(name) * (second @ first)
            elif embedding and "embed_tokens" in name:
                first, second = weights(f"{name}A", (3, shape[0])), weights(f"{name}B", (shape[1], 3))
                matrices |= {f"{module}.lora_embedding_A": first, f"{module}.lora_embedding_B": second}
                whole[name] = whole[name] + 2.0 * (second @ first).T
        write_safetensors(folder / "adapter_model.safetensors", matrices)
        return folder, whole

    return make


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen-2", "qwen-3", "gemma-2", "phi-3", "mixtral"])
def test_an_adapter_does_what_adding_its_product_does(
    *, family, adapter_folder, family_folder, convert, compute, write_safetensors
):
    source, whole = adapter_folder(family, embedding=family == "llama")
    folder = family_folder(family)
    base = convert(folder, "F32")
    adapter = convert(source, "F32", role=FileRole.ADAPTER, base=str(base))
    plain, found = compute(base, TOKENS), compute(base, TOKENS, adapter=adapter)
    write_safetensors(folder / "model.safetensors", whole)
    base.unlink()
    wanted = compute(convert(folder, "F32"), TOKENS)
    assert np.abs(plain - wanted).max() > 0.2
    np.testing.assert_allclose(found, wanted, atol=5e-3 if family == "gemma-2" else 2e-4)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"use_rslora": True}, lambda name: 6 / math.sqrt(3)),
        ({"alpha_pattern": {"v_proj": 3}}, lambda name: 1.0 if "v_proj" in name else 2.0),
        ({"alpha_pattern": {"layers.1.self_attn.k_proj": 3}}, lambda name: 1.0 if "1.self_attn.k" in name else 2.0),
    ],
)
def test_scales_of_other_kinds_go_into_b(
    *, config, scale, adapter_folder, family_folder, convert, compute, write_safetensors
):
    source, whole = adapter_folder("llama", config=config, scale=scale)
    folder = family_folder("llama")
    base = convert(folder)
    found = compute(base, TOKENS, adapter=convert(source, role=FileRole.ADAPTER, base=str(base)))
    write_safetensors(folder / "model.safetensors", whole)
    base.unlink()
    np.testing.assert_allclose(found, compute(convert(folder), TOKENS), atol=2e-4)


def test_an_adapter_says_what_it_is(adapter_folder, family_folder, convert, read):
    source, _ = adapter_folder("gemma-2")
    base = convert(family_folder("gemma-2"))
    values, tensors = read(convert(source, "", role=FileRole.ADAPTER, base=str(base)))
    assert {key: value for key, value in values.items() if not key.startswith("GGUF.")} == {
        "general.architecture": "gemma2",
        "general.type": "adapter",
        "general.file_type": 1,
        "general.quantization_version": 2,
        "adapter.type": "lora",
        "adapter.lora.alpha": 6.0,
    }
    assert tensors["blk.1.ffn_down.weight.lora_a"].shape == (3, 48)
    assert tensors["blk.1.ffn_down.weight.lora_b"].shape == (32, 3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "LOHA"}, "adapters of the kind LOHA"),
        ({"use_dora": True}, "adapters with use_dora"),
        ({"bias": "all"}, "train more than LoRA matrices"),
        ({"modules_to_save": ["lm_head"]}, "train more than LoRA matrices"),
        ({"alpha_pattern": {"(a+)+$": 3}}, "alpha_pattern"),
    ],
)
def test_other_kinds_of_adapters_are_refused(config, message, adapter_folder, family_folder, convert):
    source, _ = adapter_folder("llama", config=config)
    base = convert(family_folder("llama"))
    with pytest.raises(UnsupportedCapabilityError, match=message):
        convert(source, role=FileRole.ADAPTER, base=str(base))


def test_an_adapter_needs_its_base(adapter_folder, convert):
    source, _ = adapter_folder("llama")
    with pytest.raises(UnsupportedCapabilityError, match="only together with its base model"):
        convert(source, role=FileRole.ADAPTER)


def test_an_adapter_of_another_model_is_refused(adapter_folder, family_folder, convert):
    source, _ = adapter_folder("llama")
    base = convert(family_folder("mistral"))
    with pytest.raises(InvalidModelFileError, match=r"do not fit the base model's blk.0.attn_"):
        convert(source, role=FileRole.ADAPTER, base=str(base))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "the adapter has no tensors"),
        ({"base_model.model.lm_head.weight": (2, 2)}, "lm_head.weight is no LoRA matrix"),
        ({"base_model.model.model.norm.lora_A.weight": (3,)}, "is no LoRA matrix"),
        ({"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": (3, 32)}, "one of the two LoRA matrices of"),
        (
            {f"base_model.model.transformer.h.{part}.weight": (3, 3) for part in ("lora_A", "lora_B")},
            "transformer.h.weight is no tensor of the base model, which is a llama",
        ),
        (
            {f"base_model.model.model.norm.{part}.weight": (32, 32) for part in ("lora_A", "lora_B")},
            r"do not fit the base model's output_norm.weight, which is \[32\]",
        ),
    ],
)
def test_tensors_that_do_not_belong_are_named(
    *, tensors, message, adapter_folder, family_folder, convert, weights, write_safetensors
):
    source, _ = adapter_folder("llama")
    write_safetensors(
        source / "adapter_model.safetensors", {name: weights(name, shape) for name, shape in tensors.items()}
    )
    base = convert(family_folder("llama"))
    with pytest.raises(InvalidModelFileError, match=message):
        convert(source, role=FileRole.ADAPTER, base=str(base))


def test_a_base_of_an_unknown_family_is_refused(adapter_folder, family_folder, convert, tmp_path):
    source, _ = adapter_folder("llama")
    base = convert(family_folder("llama"))
    strange: Path = tmp_path / "strange.gguf"
    strange.write_bytes(base.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0rwkv6", 1))
    with pytest.raises(UnsupportedCapabilityError, match='unsupported architecture "rwkv6"'):
        convert(source, role=FileRole.ADAPTER, base=str(strange))
