"""gpt-oss under Ollama's names computes what it does under llama.cpp's."""

import numpy as np
import pytest

from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid_llamacpp.backend import LlamaModel

WIDTH, HEADS, HEAD, EXPERTS, HIDDEN, WORDS = 64, 2, 32, 2, 32, 48
NAMES = {
    "blk.0.attn_output.weight": "blk.0.attn_out.weight",
    "blk.0.attn_output.bias": "blk.0.attn_out.bias",
    "blk.0.attn_sinks.weight": "blk.0.attn_sinks",
    "blk.0.post_attention_norm.weight": "blk.0.ffn_norm.weight",
}
SHAPES = {
    "token_embd.weight": (WORDS, WIDTH),
    "output.weight": (WORDS, WIDTH),
    "output_norm.weight": (WIDTH,),
    "blk.0.attn_norm.weight": (WIDTH,),
    "blk.0.post_attention_norm.weight": (WIDTH,),
    **{f"blk.0.attn_{part}.weight": (HEADS * HEAD, WIDTH) for part in "qkv"},
    **{f"blk.0.attn_{part}.bias": (HEADS * HEAD,) for part in "qkv"},
    "blk.0.attn_output.weight": (WIDTH, HEADS * HEAD),
    "blk.0.attn_output.bias": (WIDTH,),
    "blk.0.attn_sinks.weight": (HEADS,),
    "blk.0.ffn_gate_inp.weight": (EXPERTS, WIDTH),
    "blk.0.ffn_gate_inp.bias": (EXPERTS,),
    **{f"blk.0.ffn_{part}_exps.weight": (EXPERTS, HIDDEN, WIDTH) for part in ("gate", "up")},
    **{f"blk.0.ffn_{part}_exps.bias": (EXPERTS, HIDDEN) for part in ("gate", "up")},
    "blk.0.ffn_down_exps.weight": (EXPERTS, WIDTH, HIDDEN),
    "blk.0.ffn_down_exps.bias": (EXPERTS, WIDTH),
}


def values(architecture: str) -> dict[str, object]:
    keys: dict[str, object] = {
        "context_length": 64,
        "embedding_length": WIDTH,
        "block_count": 1,
        "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS,
        "attention.head_count_kv": HEADS,
        "attention.key_length": HEAD,
        "attention.value_length": HEAD,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "attention.sliding_window": 32,
        "expert_count": EXPERTS,
        "expert_used_count": EXPERTS,
        "rope.freq_base": 1e4,
        "vocab_size": WORDS,
    }
    return {f"{architecture}.{key}": value for key, value in keys.items()} | {"tokenizer.ggml.model": "no_vocab"}


@pytest.fixture
def logits(write, new_driver):
    def compute(architecture: str, tensors: dict[str, np.ndarray], **more: object) -> np.ndarray:
        told = values(architecture) | {f"{architecture}.{key.replace('__', '.')}": value for key, value in more.items()}
        path = write(architecture, tensors, told)
        model = LlamaModel(ModelArtifact("tiny", "gguf", (ModelFile(str(path)),)), LoadOptions(context_length=32))
        try:
            assert model.facts.architecture == "gpt-oss"
            return new_driver(model.decoder()).feed({0: [3, 1, 4, 1, 5]})[0]
        finally:
            model.close()

    return compute


def test_the_same_under_both_names(logits):
    random = np.random.default_rng(1)
    tensors = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in SHAPES.items()}
    expected = logits("gpt-oss", tensors, expert_feed_forward_length=HIDDEN, rope__scaling__type="yarn")
    found = logits("gptoss", {NAMES.get(name, name): value for name, value in tensors.items()})
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)
