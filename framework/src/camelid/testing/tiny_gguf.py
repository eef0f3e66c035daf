"""GGUF files of a few hundred kilobytes, with random weights: language models, and what lets them see and hear.

For tests of backends that load GGUF, and of whatever else reads such files. What these models say is nonsense, but
the same nonsense each time, in printable ASCII: what goes in decides what comes out. Needs the package `gguf`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

import gguf
import numpy as np
import numpy.typing as npt

__all__ = (
    "CHAT_TEMPLATE",
    "CONTEXT",
    "ProjectorKind",
    "write_hearing_projector",
    "write_language_model",
    "write_projector",
)

CONTEXT: Final = 4096
"""Tokens that the models were trained on, as they say."""

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_SPECIAL: Final = (
    *("<|im_start|>", "<|im_end|>", "<start_of_image>", "<end_of_image>", "<|vision_start|>", "<|vision_end|>"),
    *(
        "<fake_token_around_image>",
        "<global-img>",
        "\n\n",
        "<row_1_col_1>",
        "<row_1_col_2>",
        "<row_2_col_1>",
        "<row_2_col_2>",
    ),
)
_PRINTABLE: Final = tuple(chr(code) for code in range(0x21, 0x7F))
_VOCABULARY: Final = (
    *("<unk>", "<s>", "</s>"),
    *(f"<0x{byte:02X}>" for byte in range(256)),
    *_SPECIAL,
    "▁",
    *_PRINTABLE,
)
_TYPES: Final = (
    *(gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL),
    *[gguf.TokenType.BYTE] * 256,
    *[gguf.TokenType.CONTROL] * len(_SPECIAL),
    *[gguf.TokenType.NORMAL] * (1 + len(_PRINTABLE)),
)
_HEADS: Final = 4
_LAYERS: Final = 2

_ENCODER_WIDTH: Final = 32
_ENCODER_HEADS: Final = 2
_PATCH: Final = 8
_SIDE: Final = 32

_HALVES: Final = [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]
_OPENAI: Final = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
"""Mean and standard deviation with which pictures are normalized: as for SigLIP, and as for CLIP."""

_MEL_BINS: Final = 16
_STACKED: Final = 100
_FRAMES: Final = 1500

_Shapes: TypeAlias = dict[str, tuple[int, ...]]


class ProjectorKind(StrEnum):
    """What a projector does with a picture; the values are llama.cpp's names."""

    MLP = "mlp"
    """16 tokens, whatever the picture's size."""
    GEMMA3 = "gemma3"
    """4 tokens that see each other, between two tokens of text."""
    IDEFICS3 = "idefics3"
    """4 tokens for the whole picture; wide ones in several parts of 4 tokens, with text between them."""
    QWEN2VL = "qwen2vl_merger"
    """A token for each 16 by 16 pixels, at least 8, in two dimensions; for models of the architecture `qwen2vl`."""
    QWEN25VL = "qwen2.5vl_merger"
    """The same; the patches of most layers see their neighbours only."""
    QWEN3VL = "qwen3vl_merger"
    """The same; a layer's states go to the language model's layers, too. For the architecture `qwen3vl`."""
    PIXTRAL = "pixtral"
    """A token for each 16 by 16 pixels, at least 8, and one after each row."""


def write_language_model(path: Path, architecture: str = "llama", *, width: int = 64, seed: int = 1) -> Path:
    """Write a model that generates.

    Args:
        path: the file to write.
        architecture: `llama`, `mistral3`, `gemma3`, or one of those whose positions have several dimensions: `qwen2vl`
            and `qwen3vl`.
        width: of its hidden state; a multiple of 32.
        seed: of its weights.
    """
    hidden = 2 * width
    shapes: _Shapes = {"token_embd.weight": (len(_VOCABULARY), width), "output_norm.weight": (width,)}
    for layer in range(_LAYERS):
        block: _Shapes = {
            "attn_norm.weight": (width,),
            "ffn_norm.weight": (width,),
            "ffn_gate.weight": (hidden, width),
            "ffn_up.weight": (hidden, width),
            "ffn_down.weight": (width, hidden),
        }
        for name in ("q", "k", "v", "output"):
            block[f"attn_{name}.weight"] = (width, width)
            if architecture == "qwen2vl" and name != "output":
                block[f"attn_{name}.bias"] = (width,)
        if architecture in ("gemma3", "qwen3vl"):
            block |= {"attn_q_norm.weight": (width // _HEADS,), "attn_k_norm.weight": (width // _HEADS,)}
        if architecture == "gemma3":
            block |= {"post_attention_norm.weight": (width,), "post_ffw_norm.weight": (width,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    shapes["output.weight"] = (len(_VOCABULARY), width)

    def describe(writer: gguf.GGUFWriter) -> None:
        writer.add_context_length(CONTEXT)
        writer.add_embedding_length(width)
        writer.add_block_count(_LAYERS)
        writer.add_feed_forward_length(hidden)
        writer.add_head_count(_HEADS)
        writer.add_layer_norm_rms_eps(1e-6 if architecture == "gemma3" else 1e-5)
        if architecture in ("qwen2vl", "qwen3vl"):
            eighth = width // _HEADS // 8
            writer.add_rope_dimension_sections([2 * eighth, eighth, eighth, 0])
        if architecture == "qwen3vl":
            writer.add_num_deepstack_layers(1)
        if architecture == "gemma3":
            writer.add_sliding_window(CONTEXT // 2)
            writer.add_rope_freq_base(1e6)
        writer.add_tokenizer_model("llama")
        writer.add_token_list(list(_VOCABULARY))
        writer.add_token_scores([0.0] * len(_VOCABULARY))
        writer.add_token_types(list(_TYPES))
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_space_prefix(False)
        writer.add_chat_template(CHAT_TEMPLATE)

    weights = _random_weights(shapes, seed)
    weights["output.weight"][: -len(_PRINTABLE)] = 0  # of so many printable ones, some token is always likelier
    return _write(path, architecture, weights, describe)


def write_projector(path: Path, kind: ProjectorKind, *, width: int = 64, seed: int = 2) -> Path:
    """Write a projector.

    Args:
        path: the file to write.
        kind: what it does with a picture.
        width: that of the language model.
        seed: of its weights.
    """
    shapes = _encoder_shapes(kind) | _connector_shapes(kind, width)

    def describe(writer: gguf.GGUFWriter) -> None:
        writer.add_type(gguf.GGUFType.MMPROJ)
        writer.add_clip_has_vision_encoder(True)
        writer.add_clip_projector_type(kind.value)
        writer.add_vision_embedding_length(_ENCODER_WIDTH)
        writer.add_vision_feed_forward_length(3 * _ENCODER_WIDTH)
        writer.add_vision_block_count(_LAYERS)
        writer.add_vision_head_count(_ENCODER_HEADS)
        writer.add_vision_projection_dim(width)
        writer.add_vision_attention_layernorm_eps(1e-5)
        writer.add_vision_image_size(_SIDE)
        writer.add_vision_patch_size(_PATCH)
        mean, spread = _OPENAI if kind in (ProjectorKind.QWEN25VL, ProjectorKind.PIXTRAL) else _HALVES
        writer.add_vision_image_mean(mean)
        writer.add_vision_image_std(spread)
        if kind in (ProjectorKind.QWEN25VL, ProjectorKind.PIXTRAL):
            writer.add_vision_use_silu(True)
        else:
            writer.add_vision_use_gelu(True)
        if kind is ProjectorKind.QWEN25VL:
            writer.add_vision_n_wa_pattern(_LAYERS)
            writer.add_uint32("clip.vision.window_size", 4 * _PATCH)
        if kind is ProjectorKind.QWEN3VL:
            writer.add_vision_is_deepstack_layers([True] + [False] * (_LAYERS - 1))
        if kind is ProjectorKind.PIXTRAL:
            writer.add_vision_spatial_merge_size(2)
        if kind in (ProjectorKind.GEMMA3, ProjectorKind.IDEFICS3):
            writer.add_vision_projector_scale_factor(2)
        if kind is ProjectorKind.IDEFICS3:
            writer.add_vision_preproc_image_size(2 * _SIDE)

    return _write(path, "clip", _random_weights(shapes, seed), describe)


def write_hearing_projector(path: Path, *, width: int = 64, seed: int = 3) -> Path:
    """Write a projector for sounds, of which each half minute becomes 15 tokens.

    Args:
        path: the file to write.
        width: that of the language model.
        seed: of its weights.
    """
    wide, hidden = _ENCODER_WIDTH, 3 * _ENCODER_WIDTH
    shapes = _block_shapes("a", hidden)
    for layer in range(_LAYERS):
        del shapes[f"a.blk.{layer}.attn_k.bias"]
    shapes |= {
        "a.conv1d.1.weight": (wide, _MEL_BINS, 3),
        "a.conv1d.1.bias": (wide, 1),
        "a.conv1d.2.weight": (wide, wide, 3),
        "a.conv1d.2.bias": (wide, 1),
        "a.position_embd.weight": (_FRAMES, wide),
        "mm.a.norm_pre.weight": (_STACKED * wide,),
        "mm.a.mlp.1.weight": (2 * width, _STACKED * wide),
        "mm.a.norm_mid.weight": (width,),
        "mm.a.mlp.2.weight": (width, width),
    }

    def describe(writer: gguf.GGUFWriter) -> None:
        writer.add_type(gguf.GGUFType.MMPROJ)
        writer.add_clip_has_audio_encoder(True)
        writer.add_clip_projector_type("ultravox")
        writer.add_audio_embedding_length(wide)
        writer.add_audio_feed_forward_length(hidden)
        writer.add_audio_block_count(_LAYERS)
        writer.add_audio_head_count(_ENCODER_HEADS)
        writer.add_audio_projection_dim(width)
        writer.add_audio_attention_layernorm_eps(1e-5)
        writer.add_audio_num_mel_bins(_MEL_BINS)
        writer.add_audio_stack_factor(_STACKED)

    return _write(path, "clip", _random_weights(shapes, seed), describe)


def _encoder_shapes(kind: ProjectorKind) -> _Shapes:
    """The tensors of the part that looks at the picture."""
    wide, hidden = _ENCODER_WIDTH, 3 * _ENCODER_WIDTH
    shapes: _Shapes = {"v.patch_embd.weight": (wide, 3, _PATCH, _PATCH)}
    if kind in (ProjectorKind.QWEN2VL, ProjectorKind.QWEN25VL, ProjectorKind.QWEN3VL):
        shapes["v.patch_embd.weight.1"] = shapes["v.patch_embd.weight"]
    if kind not in (ProjectorKind.QWEN2VL, ProjectorKind.QWEN25VL, ProjectorKind.PIXTRAL):
        shapes["v.position_embd.weight"] = ((_SIDE // _PATCH) ** 2, wide)
        shapes["v.patch_embd.bias"] = (wide,)
    if kind is ProjectorKind.PIXTRAL:
        return shapes | {"v.pre_ln.weight": (wide,)} | _plain_block_shapes(hidden, biases=False)
    if kind is ProjectorKind.QWEN25VL:
        return shapes | {"v.post_ln.weight": (wide,)} | _plain_block_shapes(hidden, biases=True)
    blocks = _block_shapes("v", hidden)
    if kind is ProjectorKind.QWEN3VL:
        for layer in range(_LAYERS):
            for suffix in ("weight", "bias"):
                shapes_of_parts = [blocks.pop(f"v.blk.{layer}.attn_{part}.{suffix}") for part in "qkv"]
                blocks[f"v.blk.{layer}.attn_qkv.{suffix}"] = (3 * wide, *shapes_of_parts[0][1:])
    return shapes | blocks


def _plain_block_shapes(hidden: int, *, biases: bool) -> _Shapes:
    """The tensors of an encoder's layers that are built as those of a language model."""
    wide = _ENCODER_WIDTH
    shapes: _Shapes = {}
    for layer in range(_LAYERS):
        linear: _Shapes = {f"attn_{name}": (wide, wide) for name in ("q", "k", "v", "out")}
        linear |= {"ffn_gate": (hidden, wide), "ffn_up": (hidden, wide), "ffn_down": (wide, hidden)}
        for name, shape in linear.items():
            shapes[f"v.blk.{layer}.{name}.weight"] = shape
            if biases:
                shapes[f"v.blk.{layer}.{name}.bias"] = shape[:1]
        shapes |= {f"v.blk.{layer}.ln1.weight": (wide,), f"v.blk.{layer}.ln2.weight": (wide,)}
    return shapes


def _block_shapes(prefix: str, hidden: int) -> _Shapes:
    """The tensors of an encoder's layers, and of the norm after them."""
    wide = _ENCODER_WIDTH
    shapes: _Shapes = {}
    linear: _Shapes = {f"attn_{name}": (wide, wide) for name in ("q", "k", "v", "out")}
    linear |= {"ffn_up": (hidden, wide), "ffn_down": (wide, hidden)}
    for layer in range(_LAYERS):
        for name, shape in linear.items():
            shapes |= {f"{prefix}.blk.{layer}.{name}.weight": shape, f"{prefix}.blk.{layer}.{name}.bias": shape[:1]}
        for name in ("ln1", "ln2"):
            shapes |= {f"{prefix}.blk.{layer}.{name}.weight": (wide,), f"{prefix}.blk.{layer}.{name}.bias": (wide,)}
    return shapes | {f"{prefix}.post_ln.weight": (wide,), f"{prefix}.post_ln.bias": (wide,)}


def _connector_shapes(kind: ProjectorKind, width: int) -> _Shapes:
    """The tensors of the part that turns what was seen into the language model's hidden state."""
    wide = _ENCODER_WIDTH
    match kind:
        case ProjectorKind.MLP:
            first, second = (width, wide), (width, width)
            return {"mm.0.weight": first, "mm.0.bias": (width,), "mm.2.weight": second, "mm.2.bias": (width,)}
        case ProjectorKind.GEMMA3:
            return {"mm.input_projection.weight": (wide, width), "mm.soft_emb_norm.weight": (wide,)}
        case ProjectorKind.IDEFICS3:
            return {"mm.model.fc.weight": (width, 4 * wide)}
        case ProjectorKind.QWEN2VL | ProjectorKind.QWEN25VL:
            return _merger_shapes("mm.0", "mm.2", width)
        case ProjectorKind.QWEN3VL:
            deep: _Shapes = {"v.deepstack.0.norm.weight": (4 * wide,), "v.deepstack.0.norm.bias": (4 * wide,)}
            deep |= _merger_shapes("v.deepstack.0.fc1", "v.deepstack.0.fc2", width)
            return deep | _merger_shapes("mm.0", "mm.2", width)
        case ProjectorKind.PIXTRAL:
            return {
                "mm.input_norm.weight": (wide,),
                "mm.patch_merger.weight": (wide, 4 * wide),
                "mm.1.weight": (width, wide),
                "mm.2.weight": (width, width),
                "v.token_embd.img_break": (width,),
            }


def _merger_shapes(first: str, second: str, width: int) -> _Shapes:
    """Two matrices that make a token of four patches."""
    four = 4 * _ENCODER_WIDTH
    shapes: _Shapes = {f"{first}.weight": (four, four), f"{first}.bias": (four,)}
    return shapes | {f"{second}.weight": (width, four), f"{second}.bias": (width,)}


def _random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Weights that keep the size of what goes through them; norms that change nothing."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        if name == "v.token_embd.img_break":
            value = np.zeros(shape)
        elif "norm" in name or ".ln" in name or "_ln" in name:
            value = np.full(shape, 0.0 if name.endswith("bias") else 1.0)
        else:
            inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 64
            value = random.normal(0.0, 1.5 / np.sqrt(inputs), shape)
        # 16 bits are enough for the first layer, which some files have with no more.
        weights[name] = value.astype(np.float16 if "patch_embd" in name else np.float32).astype(np.float32)
    return weights


def _write(
    path: Path,
    architecture: str,
    weights: Mapping[str, npt.NDArray[np.float32]],
    describe: Callable[[gguf.GGUFWriter], None],
) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    describe(writer)
    for name, value in weights.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
