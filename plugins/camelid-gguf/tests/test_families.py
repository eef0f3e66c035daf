"""Each family, converted and computed by llama.cpp, against what transformers computes of the same model."""

import json
from pathlib import Path

import numpy as np
import pytest

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.architectures import FAMILIES, family_of

CASES = sorted(path.stem for path in (Path(__file__).parent / "golden/families").iterdir())
# llama.cpp looks GELU up in a table of half-precision numbers.
ROUGH = ("gemma", "bert", "embedding")


@pytest.mark.parametrize("name", CASES)
def test_llama_cpp_computes_what_transformers_computes(name, golden, family_folder, convert, compute):
    case = golden(f"families/{name}.json")
    found = compute(convert(family_folder(name)), case["tokens"], case["kind"])[:, :6]
    np.testing.assert_allclose(found, case["expected"], atol=4e-3 if name.startswith(ROUGH) else 1e-4)


def test_every_family_has_a_model_here(golden):
    proved = {family_of(golden(f"families/{name}.json")["config"]["architectures"][0]) for name in CASES}
    assert proved == set(FAMILIES)


@pytest.mark.parametrize(("quantization", "off"), [("", 0.02), ("F16", 0.02), ("BF16", 0.15), ("Q8_0", 0.2)])
def test_smaller_numbers_change_little(*, quantization, off, golden, family_folder, convert, compute, read):
    case = golden("families/llama.json")
    path = convert(family_folder("llama"), quantization)
    np.testing.assert_allclose(compute(path, case["tokens"])[:, :6], case["expected"], atol=off)
    values, _ = read(path)
    assert values["general.file_type"] == {"F16": 1, "BF16": 32, "Q8_0": 7}[quantization or "F16"]


def test_metadata_is_what_llama_cpp_needs(family_folder, convert, read):
    values, tensors = read(convert(family_folder("llama-3.1")))
    described = {key: value for key, value in values.items() if key.startswith(("llama.", "general."))}
    assert described == {
        "general.architecture": "llama",
        "general.type": "model",
        "general.quantization_version": 2,
        "general.file_type": 0,
        "general.parameter_count": sum(tensor.size for name, tensor in tensors.items() if "rope" not in name),
        "llama.context_length": 256,
        "llama.embedding_length": 32,
        "llama.block_count": 2,
        "llama.feed_forward_length": 48,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.key_length": 16,
        "llama.attention.value_length": 16,
        "llama.attention.layer_norm_rms_epsilon": pytest.approx(1e-6),
        "llama.rope.dimension_count": 16,
        "llama.rope.freq_base": 10000.0,
        "llama.vocab_size": 64,
    }
    divisors = tensors["rope_freqs.weight"]
    assert divisors.shape == (8,)
    assert divisors[0] < 2
    assert divisors[-1] == 8


def test_gemma_says_where_its_windows_are(family_folder, convert, read):
    values, _ = read(convert(family_folder("gemma-3")))
    assert values["gemma3.attention.sliding_window"] == 4
    assert values["gemma3.attention.sliding_window_pattern"] == [False, True]
    assert values["gemma3.rope.scaling.factor"] == 8.0
    assert (values["gemma3.rope.freq_base"], values["gemma3.rope.freq_base_swa"]) == (1e6, 1e4)


def test_embedding_gemma_takes_its_two_matrices_along(family_folder, convert, compute, weights, write_safetensors):
    folder = family_folder("embedding-gemma")
    plain = compute(convert(folder), [5, 6, 7], "pooled")[0]
    matrices = []
    for module, shape in (("2_Dense", (64, 32)), ("3_Dense", (32, 64))):
        (folder / module).mkdir()
        matrices.append(weights(module, shape))
        write_safetensors(folder / module / "model.safetensors", {"linear.weight": matrices[-1]})
        sizes = {"in_features": shape[1], "out_features": shape[0]}
        (folder / module / "config.json").write_text(json.dumps(sizes))
    found = compute(convert(folder, "BF16"), [5, 6, 7], "pooled")[0]
    np.testing.assert_allclose(found, matrices[1] @ (matrices[0] @ plain), atol=0.1)


@pytest.mark.parametrize(("mode", "kind"), [("mean_tokens", 1), ("cls_token", 2), ("lasttoken", 3)])
def test_pooling_is_what_sentence_transformers_say(mode, kind, family_folder, convert, read):
    folder = family_folder("bert")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    values, _ = read(convert(folder))
    assert values["bert.pooling_type"] == kind
    assert values["bert.attention.causal"] is False


def test_an_unknown_architecture_is_named(family_folder, convert):
    folder = family_folder("llama")
    change(folder, architectures=["RwkvForCausalLM"])
    with pytest.raises(UnsupportedCapabilityError, match=r'^unsupported architecture "RwkvForCausalLM"$') as caught:
        convert(folder)
    assert "LlamaForCausalLM" in caught.value.reason


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("llama", {"architectures": []}, 'config.json has no "architectures"'),
        ("llama", {"hidden_size": None}, 'config.json has no "hidden_size"'),
        ("llama", {"hidden_size": -32}, '"hidden_size" must be a whole number'),
        ("llama", {"hidden_size": "32"}, '"hidden_size" must be a whole number'),
        ("llama", {"num_hidden_layers": 10**9}, '"num_hidden_layers" must be a whole number from 1 to 512'),
        ("llama", {"num_hidden_layers": 3}, "tensor model.layers.2.input_layernorm.weight is missing"),
        ("llama", {"num_hidden_layers": 1}, "model.layers.1.* is no tensor of a llama model"),
        ("llama", {"vocab_size": 1 << 23}, "model.embed_tokens.weight has the shape .64, 32., but config.json asks"),
        ("llama", {"head_dim": 7}, "heads of 7 numbers cannot be rotated"),
        ("llama", {"rms_norm_eps": 1e300}, '"rms_norm_eps" must be a number that fits'),
        ("llama", {"rms_norm_eps": float("inf")}, '"rms_norm_eps" must be a number that fits'),
        ("llama", {"tie_word_embeddings": 1}, '"tie_word_embeddings" must be true or false'),
        ("llama", {"rope_parameters": []}, '"rope_parameters" must be an object'),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 0.5}}, "below 1"),
        ("llama-3.1", {"rope_parameters": {"rope_type": "llama3", "low_freq_factor": 9}}, "impossible factors"),
        ("phi-3-long", {"rope_parameters": {"rope_type": "longrope", "short_factor": [1]}}, "must have 4 numbers"),
        ("mixtral", {"num_local_experts": 5}, "gate.weight has the shape .4, 32., but config.json asks for .5, 32."),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_with_a_sentence(name, changes, message, family_folder, convert):
    folder = family_folder(name)
    change(folder, **changes)
    with pytest.raises(InvalidModelFileError, match=message):
        convert(folder)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("llama", {"rope_parameters": {"rope_type": "spiral", "factor": 2}}, 'unsupported rope scaling "spiral"'),
        ("llama", {"hidden_act": "relu"}, "\"hidden_act\" must be 'silu' for llama"),
        ("llama", {"quantization_config": {"quant_method": "gptq"}}, "models quantized with gptq cannot be converted"),
        ("gemma-2", {"query_pre_attn_scalar": 77}, "a query_pre_attn_scalar of 16 for this model, not 77"),
        ("qwen-3-moe", {"norm_topk_prob": False}, "norm_topk_prob"),
        ("qwen-2-moe", {"mlp_only_layers": [0]}, "mlp_only_layers"),
        ("phi-3", {"rope_parameters": {"rope_type": "yarn"}}, 'unsupported rope scaling "yarn"'),
        ("mistral-3", {"text_config": {"model_type": "mistral4"}}, 'unsupported architecture "mistral4"'),
        ("embedding-gemma", {"use_bidirectional_attention": False}, "use_bidirectional_attention"),
        ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
    ],
)
def test_what_llama_cpp_does_otherwise_is_refused(name, changes, message, family_folder, convert):
    folder = family_folder(name)
    if "text_config" in changes:
        config = json.loads((folder / "config.json").read_text())
        changes = {"text_config": config["text_config"] | changes["text_config"]}
    change(folder, **changes)
    with pytest.raises(UnsupportedCapabilityError, match=message):
        convert(folder)


def test_older_files_put_rotary_positions_elsewhere(golden, family_folder, convert, compute):
    case = golden("families/llama-3.1.json")
    folder = family_folder("llama-3.1")
    config = json.loads((folder / "config.json").read_text())
    scaling = config.pop("rope_parameters")
    theta = scaling.pop("rope_theta")
    (folder / "config.json").write_text(json.dumps(config | {"rope_scaling": scaling, "rope_theta": theta}))
    np.testing.assert_allclose(compute(convert(folder), case["tokens"])[:, :6], case["expected"], atol=1e-4)


def test_names_that_older_and_newer_files_use_mean_the_same(
    *, family_folder, convert, read, golden, weights, write_safetensors
):
    case = golden("families/gemma-3-vision.json")
    first = family_folder("gemma-3-vision")
    _, wanted = read(convert(first))
    tensors = {}
    for name, shape in case["tensors"].items():
        bare = name.removeprefix("model.").removeprefix("language_model.").removeprefix("model.")
        tensors[f"language_model.model.{bare}"] = weights(name, shape)
    tensors["vision_tower.vision_model.head.probe"] = np.zeros((1, 1, 4), np.float32)
    write_safetensors(first / "model.safetensors", tensors)
    _, found = read(convert(first, "BF16"))
    assert found.keys() == wanted.keys()


def change(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
