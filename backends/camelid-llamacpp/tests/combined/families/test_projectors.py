"""libmtmd takes the projectors of families whose language models are too intricate to be written tiny."""

import os

import numpy as np
import numpy.typing as npt
import pytest

from camelid import Media
from camelid.types import LoadOptions
from camelid_llamacpp.combined.stream import written_file
from camelid_llamacpp.combined.taking_apart import take_apart
from camelid_llamacpp.media import LlamaMediaTokenizer
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.options import LlamaCppOptions
from camelid_llamacpp.projector import Projector, ProjectorOptions
from camelid_llamacpp.weights import load_weights

WIDTH = 64
"""Of the language model."""
WIDE, HEADS, HIDDEN, PATCH, SIDE = 32, 2, 48, 8, 32

Shapes = dict[str, tuple[int, ...]]


def encoder_values(architecture: str, **more: int) -> dict[str, object]:
    numbers = {
        "block_count": 1,
        "embedding_length": WIDE,
        "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS,
        "patch_size": PATCH,
        "image_size": SIDE,
        **more,
    }
    found: dict[str, object] = {f"{architecture}.vision.{key}": value for key, value in numbers.items()}
    return found | {f"{architecture}.embedding_length": WIDTH}


def linear(shapes: Shapes) -> Shapes:
    """Matrices, and what is added after each."""
    biases = {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    return {f"{name}.weight": shape for name, shape in shapes.items()} | biases


def norms(*names: str, width: int = WIDE) -> Shapes:
    return {f"{name}.weight": (width,) for name in names}


GEMMA4: Shapes = {
    "v.patch_embd.weight": (WIDE, 3, PATCH, PATCH),
    "v.position_embd.weight": (2, 256, WIDE),
    **{f"v.blk.0.attn_{part}.weight": (WIDE, WIDE) for part in ("q", "k", "v", "out")},
    **norms("v.blk.0.attn_q_norm", "v.blk.0.attn_k_norm", width=WIDE // HEADS),
    **norms(*(f"v.blk.0.{name}" for name in ("ln1", "ln2", "attn_post_norm", "ffn_post_norm"))),
    "v.blk.0.ffn_gate.weight": (HIDDEN, WIDE),
    "v.blk.0.ffn_up.weight": (HIDDEN, WIDE),
    "v.blk.0.ffn_down.weight": (WIDE, HIDDEN),
    "mm.input_projection.weight": (WIDTH, WIDE),
}
LLAMA4: Shapes = {
    "v.class_embedding": (WIDE,),
    "v.positional_embedding_vlm": ((SIDE // PATCH) ** 2 + 1, WIDE),
    "v.patch_embedding.weight": (WIDE, 3 * PATCH * PATCH),
    **{f"v.layernorm_{place}.{suffix}": (WIDE,) for place in ("pre", "post") for suffix in ("weight", "bias")},
    **{f"v.blk.0.{name}.{suffix}": (WIDE,) for name in ("attn_norm", "ffn_norm") for suffix in ("weight", "bias")},
    **linear({f"v.blk.0.attn_{part}": (WIDE, WIDE) for part in ("q", "k", "v", "output")}),
    **linear({"v.blk.0.mlp.fc1": (HIDDEN, WIDE), "v.blk.0.mlp.fc2": (WIDE, HIDDEN)}),
    "v.vision_adapter.mlp.fc1.weight": (HIDDEN, 4 * WIDE),
    "v.vision_adapter.mlp.fc2.weight": (HIDDEN, HIDDEN),
    "mm.linear_1.weight": (WIDTH, HIDDEN),
}
GLMOCR: Shapes = {
    "v.patch_embd_0.weight": (WIDE, 3, PATCH, PATCH),
    "v.patch_embd_1.weight": (WIDE, 3, PATCH, PATCH),
    "v.patch_embd.bias": (WIDE,),
    **linear({"v.blk.0.attn_qkv": (3 * WIDE, WIDE), "v.blk.0.attn_out": (WIDE, WIDE)}),
    **norms("v.blk.0.attn_q_norm", "v.blk.0.attn_k_norm", width=WIDE // HEADS),
    **norms("v.blk.0.ln1", "v.blk.0.ln2", "v.post_ln"),
    **linear({f"v.blk.0.ffn_{part}": (HIDDEN, WIDE) for part in ("gate", "up")}),
    **linear({"v.blk.0.ffn_down": (WIDE, HIDDEN)}),
    **linear({"mm.patch_merger": (WIDTH, WIDE, 2, 2)}),
    "mm.model.fc.weight": (WIDTH, WIDTH),
    "mm.post_norm.weight": (WIDTH,),
    "mm.post_norm.bias": (WIDTH,),
    "mm.up.weight": (HIDDEN, WIDTH),
    "mm.gate.weight": (HIDDEN, WIDTH),
    "mm.down.weight": (WIDTH, HIDDEN),
}
FAMILIES = {
    "gemma4": (GEMMA4, encoder_values("gemma4")),
    "llama4": (LLAMA4, encoder_values("llama4")),
    "glmocr": (GLMOCR, encoder_values("glmocr", intermediate_size=HIDDEN, out_hidden_size=WIDTH)),
}


@pytest.fixture
def language(tiny):
    """The handle of a language model as wide as the projectors make it."""
    handle = load_weights("tiny", [tiny["llama"]], LoadOptions(), LlamaCppOptions()).handle
    yield handle
    llama_cpp.llama_model_free(handle)


def states(projector: Projector, picture: bytes) -> npt.NDArray[np.float32]:
    tokenizer = LlamaMediaTokenizer(projector, most_tokens=2000, at_once=None)
    media = [part for part in tokenizer.tokenize(["a ", picture, " b"], add_special=False) if isinstance(part, Media)]
    try:
        return projector.encode(media[0].chunk, media[0].length)
    finally:
        for part in media:
            part.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_becomes_states_of_the_language_model(write, language, draw, family):
    shapes, values = FAMILIES[family]
    random = np.random.default_rng(1)
    tensors = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    combined = take_apart(
        write(family, {"token_embd.weight": np.ones((4, WIDTH), np.float32), **tensors}, values), "it"
    )
    assert combined is not None
    assert combined.projector is not None
    with written_file(combined.projector, "it") as path:
        projector = Projector(
            "it", os.fsencode(path), language, ProjectorOptions(gpu=False, threads=1, flash_attention=0)
        )
    try:
        assert projector.sees
        seen = [states(projector, draw(number, 64, 64)) for number in (1, 2)]
    finally:
        projector.close()
    assert seen[0].shape == seen[1].shape
    assert seen[0].shape[1] == WIDTH
    assert np.isfinite(seen).all()
    assert not np.allclose(*seen, atol=1e-3)
