"""What becomes of the names and keys of families that no tiny model is written for."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from camelid_llamacpp.combined.taking_apart import CombinedFile, take_apart

ROW = np.ones(32, np.float32)
MATRIX = np.arange(4 * 32, dtype=np.float32).reshape(4, 32)


@pytest.fixture
def language(write, written):
    """The language model of a file of the given architecture, tensors and values."""

    def take(architecture: str, tensors: dict[str, np.ndarray], values: dict[str, object]) -> gguf.GGUFReader:
        return written(_taken(write(architecture, tensors, values)).language)

    return take


@pytest.fixture
def projector(write, written):
    """The projector of such a file."""

    def take(architecture: str, tensors: dict[str, np.ndarray], values: dict[str, object]) -> gguf.GGUFReader:
        found = _taken(write(architecture, {"token_embd.weight": MATRIX, **tensors}, values)).projector
        assert found is not None
        return written(found)

    return take


def _taken(path: Path) -> CombinedFile:
    combined = take_apart(path, "it")
    assert combined is not None
    return combined


def names(reader: gguf.GGUFReader) -> set[str]:
    return {tensor.name for tensor in reader.tensors}


def values(reader: gguf.GGUFReader) -> dict[str, object]:
    return {key: field.contents() for key, field in reader.fields.items()}


def test_gpt_oss(language):
    tensors = {
        "blk.0.attn_out.weight": MATRIX,
        "blk.0.attn_out.bias": ROW,
        "blk.0.attn_sinks": ROW,
        "blk.0.ffn_norm.weight": ROW,
        "blk.0.ffn_gate_exps.weight": np.zeros((2, 5, 32), np.float32),
    }
    reader = language("gptoss", tensors, {"gptoss.block_count": 1, "tokenizer.ggml.pre": "default"})
    assert names(reader) == {
        "blk.0.attn_output.weight",
        "blk.0.attn_output.bias",
        "blk.0.attn_sinks.weight",
        "blk.0.post_attention_norm.weight",
        "blk.0.ffn_gate_exps.weight",
    }
    found = values(reader)
    assert found["general.architecture"] == "gpt-oss"
    assert found["gpt-oss.expert_feed_forward_length"] == 5
    assert found["tokenizer.ggml.pre"] == "gpt-4o"
    assert found["gpt-oss.rope.scaling.type"] == "yarn"


def test_gemma_3_without_eyes(language):
    reader = language("gemma3", {"token_embd.weight": MATRIX}, {"gemma3.rope.local.freq_base": 5e3})
    found = values(reader)
    assert found["gemma3.rope.freq_base_swa"] == 5e3
    assert found["gemma3.rope.freq_base"] == 1e6
    assert found["gemma3.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert "gemma3.rope.scaling.type" not in found


def test_gemma_3_of_a_long_context(language):
    found = values(language("gemma3", {"token_embd.weight": MATRIX}, {"gemma3.context_length": 131072}))
    assert (found["gemma3.rope.scaling.type"], found["gemma3.rope.scaling.factor"]) == ("linear", 8.0)


def test_embeddings_of_gemma(language):
    tensors = {"dense.0.weight": MATRIX, "dense.1.weight": MATRIX, "norm.weight": ROW, "blk.0.attn_norm.weight": ROW}
    reader = language("gemma3", tensors, {"gemma3.embedding_length": 32})
    assert names(reader) == {"dense_2.weight", "dense_3.weight", "output_norm.weight", "blk.0.attn_norm.weight"}
    found = values(reader)
    assert found["general.architecture"] == "gemma-embedding"
    assert (found["gemma-embedding.dense_2_feat_in"], found["gemma-embedding.dense_2_feat_out"]) == (32, 4)


def test_gemma_3n_has_as_many_words_as_rows(language):
    tensors = {"token_embd.weight": MATRIX, "per_layer_token_embd.weight": MATRIX[:3]}
    words = ["a", "<0x0A>", "<unused3>", "<image>"]
    told = {"gemma3n.head_dim": 8, "tokenizer.ggml.tokens": words, "tokenizer.ggml.token_type": [3, 1, 3, 3]}
    reader = language("gemma3n", tensors, told)
    assert values(reader)["tokenizer.ggml.tokens"] == words[:3]
    assert values(reader)["tokenizer.ggml.token_type"] == [3, 6, 1]
    assert {tensor.data.shape for tensor in reader.tensors} == {(3, 32)}


def test_qwen_3_next(language):
    reader = language("qwen3next", {"blk.0.ssm_dt": ROW}, {"qwen3next.attention.head_count_kv": [0, 4]})
    assert names(reader) == {"blk.0.ssm_dt.bias"}
    assert values(reader)["qwen3next.attention.head_count_kv"] == 4


def test_lfm_2(language):
    reader = language("lfm2", {"output_norm.weight": ROW, "blk.0.ffn_gate.weight": MATRIX}, {})
    assert names(reader) == {"token_embd_norm.weight", "blk.0.ffn_gate.weight"}
    assert values(reader)["lfm2.feed_forward_length"] == 4


def test_glm_4_flash(language):
    told = {
        "glm4moelite.attention.key_length": 256,
        "glm4moelite.attention.kv_lora_rank": 512,
        "glm4moelite.rope.dimension_count": 64,
        "tokenizer.ggml.eos_token_ids": [1, 2, 3],
    }
    found = values(language("glm4moelite", {"token_embd.weight": MATRIX}, told))
    assert found["general.architecture"] == "deepseek2"
    lengths = ("key_length", "value_length", "key_length_mla", "value_length_mla")
    assert [found[f"deepseek2.attention.{length}"] for length in lengths] == [576, 512, 256, 256]
    assert (found["tokenizer.ggml.eot_token_id"], found["tokenizer.ggml.eom_token_id"]) == (2, 3)


@pytest.mark.parametrize(("experts", "expected"), [({}, "nemotron_h"), ({"expert_count": 8}, "nemotron_h_moe")])
def test_nemotron_reads(language, experts, expected):
    told = {f"nemotron_h_omni.{key}": value for key, value in experts.items()}
    tensors = {"blk.1.ffn_latent_in.weight": MATRIX, "blk.1.ffn_latent_out.weight": MATRIX, "mtp.x": ROW, "a.x": ROW}
    reader = language("nemotron_h_omni", tensors, told)
    assert names(reader) == {"blk.1.ffn_latent_down.weight", "blk.1.ffn_latent_up.weight"}
    assert values(reader)["general.architecture"] == expected
    assert values(reader)["nemotron_h_moe.moe_latent_size"] == 4


def test_laguna(language):
    reader = language("laguna", {"blk.0.attn_g.weight": MATRIX}, {"laguna.rope.swa.freq_base": 5e3})
    assert names(reader) == {"blk.0.attn_gate.weight"}
    assert values(reader)["laguna.rope.freq_base_swa"] == 5e3


def test_qwen_3_5_reads(language):
    tensors = {"blk.0.ssm_dt": ROW, "v.x": ROW, "mm.x": ROW, "mtp.fc.weight": MATRIX}
    told = {
        "qwen35.attention.head_count_kv": [0, 0, 2, 0],
        "qwen35.rope.mrope_section": [11, 11, 10],
        "qwen35.nextn_predict_layers": 1,
    }
    reader = language("qwen35", tensors, told)
    assert names(reader) == {"blk.0.ssm_dt.bias"}
    found = values(reader)
    assert found["qwen35.attention.head_count_kv"] == 2
    assert found["qwen35.rope.dimension_sections"] == [11, 11, 10, 0]
    assert "qwen35.nextn_predict_layers" not in found


def test_glm_ocr_reads(language):
    tensors = {
        "blk.0.ffn_gate.weight": MATRIX,
        "blk.0.ffn_up.weight": MATRIX + 1000,
        "blk.0.attn_out.weight": MATRIX,
        "blk.0.post_attn_norm.weight": ROW,
        "v.x": ROW,
    }
    reader = language("glmocr", tensors, {"glmocr.block_count": 1, "glmocr.rope.mrope_section": [1, 2, 3]})
    assert names(reader) == {
        "blk.0.ffn_up.weight",
        "blk.0.attn_output.weight",
        "blk.0.post_attention_norm.weight",
    }
    (joined,) = (tensor.data for tensor in reader.tensors if tensor.name == "blk.0.ffn_up.weight")
    np.testing.assert_array_equal(joined, np.concatenate([MATRIX, MATRIX + 1000]))
    assert values(reader)["glm4.rope.dimension_sections"] == [1, 2, 3, 0]


def test_deepseek_ocr_reads(language):
    tensors = {
        "blk.1.ffn_down_exps.weight": np.zeros((2, 4, 32), np.float32),
        "blk.1.ffn_down_shexp.weight": np.zeros((4, 64), np.float32),
        **dict.fromkeys(("s.x", "v.x", "mm.x"), ROW),
    }
    reader = language("deepseekocr", tensors, {"deepseekocr.block_count": 2})
    assert len(names(reader)) == 2
    found = values(reader)
    assert found["deepseek2-ocr.expert_feed_forward_length"] == 32
    assert found["deepseek2-ocr.expert_shared_count"] == 2


def test_gemma_4_reads_and_sees_but_does_not_hear(language, projector):
    tensors = {"blk.0.ffn_gate_inp.per_expert_scale": ROW, "v.patch_embd.weight": MATRIX.astype(np.float16)}
    tensors |= {"a.x": ROW, "mm.a.x": ROW, "mm.input_projection.weight": MATRIX}
    told = {"tokenizer.ggml.model": "llama", "gemma4.embedding_length": 32, "gemma4.vision.patch_size": 16}
    reader = language("gemma4", tensors, told)
    assert names(reader) == {"blk.0.ffn_down_exps.scale"}
    assert values(reader)["tokenizer.ggml.model"] == "gemma4"
    reader = projector("gemma4", tensors, told)
    assert names(reader) == {"v.patch_embd.weight", "mm.input_projection.weight"}
    found = values(reader)
    assert found["clip.projector_type"] == "gemma4v"
    assert (found["clip.vision.image_size"], found["clip.vision.patch_size"]) == (224, 16)
    assert (found["clip.vision.image_mean"], found["clip.vision.image_std"]) == ([0.0] * 3, [1.0] * 3)


def test_llama_4_sees(projector):
    tensors = dict.fromkeys(
        (
            "mm.linear_1.weight",
            "v.vision_adapter.mlp.fc1.weight",
            "v.vision_adapter.mlp.fc2.weight",
            "v.class_embedding",
            "v.layernorm_post.bias",
            "v.layernorm_pre.bias",
            "v.patch_embedding.weight",
            "v.positional_embedding_vlm",
            "v.blk.0.attn_output.weight",
            "v.blk.0.attn_norm.weight",
            "v.blk.0.ffn_norm.weight",
            "v.blk.0.mlp.fc1.weight",
            "v.blk.0.mlp.fc2.weight",
        ),
        MATRIX,
    )
    told = {"llama4.vision.pixel_shuffle_ratio": 0.5, "llama4.vision.layer_norm_epsilon": 0.25}
    reader = projector("llama4", tensors, told)
    assert names(reader) == {
        "mm.model.fc.weight",
        "mm.model.mlp.1.weight",
        "mm.model.mlp.2.weight",
        "v.class_embd",
        "v.post_ln.bias",
        "v.pre_ln.bias",
        "v.patch_embd.weight",
        "v.position_embd.weight",
        "v.blk.0.attn_out.weight",
        "v.blk.0.ln1.weight",
        "v.blk.0.ln2.weight",
        "v.blk.0.ffn_up.weight",
        "v.blk.0.ffn_down.weight",
    }
    found = values(reader)
    assert found["clip.vision.projector.scale_factor"] == 2
    assert found["clip.vision.attention.layer_norm_epsilon"] == 0.25


def test_glm_ocr_sees(projector):
    tensors = {"v.patch_embd_0.weight": MATRIX.astype(np.float16), "v.patch_embd_1.weight": MATRIX}
    told = {"glmocr.vision.intermediate_size": 6, "glmocr.vision.out_hidden_size": 7, "glmocr.embedding_length": 8}
    reader = projector("glmocr", tensors, told)
    assert {(tensor.name, tensor.tensor_type.name) for tensor in reader.tensors} == {
        ("v.patch_embd.weight", "F32"),
        ("v.patch_embd.weight.1", "F32"),
    }
    found = values(reader)
    assert (found["clip.vision.feed_forward_length"], found["clip.vision.projection_dim"]) == (6, 7)


def test_mistral_sees_where_rows_end(projector):
    told = {"mistral3.embedding_length": 32, "tokenizer.ggml.tokens": ["a", "b", "[IMG_BREAK]", "c"]}
    reader = projector("mistral3", {"v.patch_conv.weight": MATRIX}, told)
    (row,) = (tensor.data for tensor in reader.tensors if tensor.name == "v.token_embd.img_break")
    np.testing.assert_array_equal(row, MATRIX[2])


def test_attention_of_several_element_types_is_joined_as_numbers(projector):
    square = np.arange(32 * 32, dtype=np.float32).reshape(32, 32) / 32
    tensors = {f"v.blk.0.attn_{part}.weight": square for part in "qk"}
    tensors["v.blk.0.attn_v.weight"] = square.astype(np.float16)
    reader = projector("qwen3vl", tensors, {"qwen3vl.vision.block_count": 1})
    (joined,) = reader.tensors
    assert (joined.name, joined.tensor_type.name) == ("v.blk.0.attn_qkv.weight", "F32")
    np.testing.assert_array_equal(joined.data, np.concatenate([square] * 3))
