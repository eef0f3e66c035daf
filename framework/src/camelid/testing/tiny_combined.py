"""Tiny models as Ollama writes those that see: the language model and its projector in one file, under its own names.

Each is also written as the two files that llama.cpp wants, with the same weights, so that what comes of one can be
compared with what comes of the other. Needs the package `gguf`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import gguf
import msgspec
import numpy as np
import numpy.typing as npt

from camelid.testing.tiny_gguf import ProjectorKind, write_language_model, write_projector

__all__ = ("COMBINED_FAMILIES", "UNKNOWN_FAMILY", "CombinedFiles", "write_combined_model")

_Names = tuple[tuple[str, str], ...]
_Weights = npt.NDArray[np.float32]

_BLOCKS: Final = 2
_SPARE_WORDS: Final = ("<image_soft_token>",)
"""Words at the vocabulary's end that no row of the embedding is for."""


class CombinedFiles(msgspec.Struct, frozen=True):
    """The same model, twice."""

    language: Path
    projector: Path
    combined: Path
    """Both in one file."""


class _Writing(msgspec.Struct, frozen=True, kw_only=True):
    """How Ollama writes a family."""

    language: str
    """llama.cpp's name for the architecture."""
    kind: ProjectorKind
    names: _Names = ()
    """Parts of tensors' names: llama.cpp's and Ollama's, in the order in which they are replaced."""
    language_names: _Names = ()
    dropped: frozenset[str] = frozenset()
    """Keys below the architecture that it leaves out."""
    keys: Mapping[str, str] = {}
    """Keys below the architecture that it calls differently."""
    numbers: Mapping[str, int | list[int]] = {}
    """What else it says, below the architecture."""
    halves: tuple[str, ...] = ()
    """Tensors, by llama.cpp's names, whose numbers have 16 bits."""


_FAMILIES: Final[Mapping[str, _Writing]] = {
    "gemma3": _Writing(
        language="gemma3",
        kind=ProjectorKind.GEMMA3,
        names=(
            ("v.patch_embd", "v.patch_embedding"),
            ("v.position_embd", "v.position_embedding"),
            ("v.post_ln", "v.post_layernorm"),
            (".ln1.", ".layer_norm1."),
            (".ln2.", ".layer_norm2."),
            (".attn_out.", ".attn_output."),
            (".ffn_up.", ".mlp.fc1."),
            (".ffn_down.", ".mlp.fc2."),
            ("mm.input_projection", "mm.mm_input_projection"),
            ("mm.soft_emb_norm", "mm.mm_soft_emb_norm"),
        ),
        dropped=frozenset({"attention.layer_norm_rms_epsilon", "rope.freq_base"}),
        numbers={"mm.tokens_per_image": 4},
        halves=("v.patch_embd.weight",),
    ),
    "qwen25vl": _Writing(
        language="qwen2vl",
        kind=ProjectorKind.QWEN25VL,
        names=(
            ("v.post_ln", "v.merger.ln_q"),
            ("mm.0", "v.merger.mlp.0"),
            ("mm.2", "v.merger.mlp.2"),
            ("v.patch_embd.weight.1", "v.patch_embd_1.weight"),
            ("v.patch_embd.weight", "v.patch_embd_0.weight"),
        ),
        keys={"rope.dimension_sections": "rope.mrope_section"},
        numbers={"vision.fullatt_block_indexes": [_BLOCKS - 1]},
        halves=("v.patch_embd.weight", "v.patch_embd.weight.1"),
    ),
    "qwen3vl": _Writing(
        language="qwen3vl",
        kind=ProjectorKind.QWEN3VL,
        names=(
            ("v.deepstack.0.norm", "v.deepstack_merger.0.norm"),
            ("v.deepstack.0.fc", "v.deepstack_merger.0.linear_fc"),
            ("v.post_ln", "v.merger.norm"),
            ("mm.0", "v.merger.linear_fc1"),
            ("mm.2", "v.merger.linear_fc2"),
            ("v.patch_embd", "v.patch_embed"),
            ("v.position_embd", "v.pos_embed"),
            (".ln1.", ".norm1."),
            (".ln2.", ".norm2."),
            (".ffn_up.", ".mlp.linear_fc1."),
            (".ffn_down.", ".mlp.linear_fc2."),
        ),
        dropped=frozenset({"n_deepstack_layers"}),
        keys={"rope.dimension_sections": "rope.mrope_section"},
        numbers={"vision.deepstack_visual_indexes": [0]},
    ),
    "mistral3": _Writing(
        language="mistral3",
        kind=ProjectorKind.PIXTRAL,
        names=(
            ("v.patch_embd", "v.patch_conv"),
            ("v.pre_ln", "v.encoder_norm"),
            (".attn_out.", ".attn_output."),
            (".ln1.", ".attn_norm."),
            (".ln2.", ".ffn_norm."),
            ("mm.1", "mm.linear_1"),
            ("mm.2", "mm.linear_2"),
            ("mm.patch_merger", "mm.patch_merger.merging_layer"),
            ("mm.input_norm", "mm.norm"),
        ),
        numbers={"spatial_merge_size": 2},
        halves=("v.patch_embd.weight",),
    ),
    "llama": _Writing(language="llama", kind=ProjectorKind.MLP),
}

UNKNOWN_FAMILY: Final = "llama"
"""An architecture whose files hold no projector, as far as anybody knows."""

COMBINED_FAMILIES: Final = tuple(family for family in _FAMILIES if family != UNKNOWN_FAMILY)
"""Architectures whose files hold a projector, as the files call them."""


def write_combined_model(
    folder: Path, family: str, *, seed: int = 1, lies: Mapping[str, int] = MappingProxyType({})
) -> CombinedFiles:
    """Write a model: `language.gguf`, `mmproj.gguf` and `combined.gguf`.

    Args:
        folder: which is there.
        family: one of `COMBINED_FAMILIES`, or `UNKNOWN_FAMILY`.
        seed: of its weights.
        lies: what the combined file says of its encoder, by keys below the architecture's `vision.`.
    """
    writing = _FAMILIES[family]
    language = write_language_model(folder / "language.gguf", writing.language, seed=seed)
    projector = write_projector(folder / "mmproj.gguf", writing.kind, seed=seed + 1)
    writer = gguf.GGUFWriter(folder / "combined.gguf", family)
    _add_language_keys(writer, gguf.GGUFReader(language), family, writing)
    seeing = gguf.GGUFReader(projector)
    _add_vision_keys(writer, seeing, family, lies)
    for key, number in writing.numbers.items():
        if isinstance(number, list):
            writer.add_array(f"{family}.{key}", number)
        else:
            writer.add_uint32(f"{family}.{key}", number)
    tensors = _tensors(gguf.GGUFReader(language), writing.language_names) | _projector_tensors(seeing, writing)
    for name in sorted(tensors):
        writer.add_tensor(name, tensors[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return CombinedFiles(language, projector, folder / "combined.gguf")


def _add_language_keys(writer: gguf.GGUFWriter, reader: gguf.GGUFReader, family: str, writing: _Writing) -> None:
    spare = len(_SPARE_WORDS) if family == "gemma3" else 0
    more: dict[str, list[object]] = {
        "tokenizer.ggml.tokens": list(_SPARE_WORDS[:spare]),
        "tokenizer.ggml.scores": [0.0] * spare,
        "tokenizer.ggml.token_type": [int(gguf.TokenType.CONTROL)] * spare,
    }
    for field in reader.fields.values():
        below = field.name.removeprefix(f"{writing.language}.")
        if field.name.startswith(("GGUF.", "general.")) or below in writing.dropped:
            continue
        key = field.name if below == field.name else f"{family}.{writing.keys.get(below, below)}"
        value = field.contents()
        kind, element = field.types[0], field.types[-1] if len(field.types) > 1 else None
        if key == f"{family}.rope.mrope_section":
            value = value[:3]
        writer.add_key_value(key, value + more.get(key, []) if isinstance(value, list) else value, kind, element)


def _add_vision_keys(writer: gguf.GGUFWriter, reader: gguf.GGUFReader, family: str, lies: Mapping[str, int]) -> None:
    """What llama.cpp finds out otherwise, or takes for granted, is left out."""
    prefix = "clip.vision."
    silent = (
        "projection_dim",
        "image_mean",
        "image_std",
        "n_wa_pattern",
        "is_deepstack_layers",
        "projector.scale_factor",
    )
    for field in reader.fields.values():
        below = field.name.removeprefix(prefix)
        if field.name.startswith(prefix) and below not in silent:
            value = lies.get(below, field.contents())
            writer.add_key_value(f"{family}.vision.{below}", value, field.types[0])
    if family == "qwen3vl":
        for name in ("image_mean", "image_std"):
            writer.add_array(f"{family}.vision.{name}", [0.5, 0.5, 0.5])


def _tensors(reader: gguf.GGUFReader, names: _Names) -> dict[str, _Weights]:
    found: dict[str, _Weights] = {}
    for tensor in reader.tensors:
        name = tensor.name
        for theirs, ours in names:
            name = name.replace(theirs, ours, 1)
        found[name] = np.array(tensor.data)
    return found


def _projector_tensors(reader: gguf.GGUFReader, writing: _Writing) -> dict[str, _Weights]:
    weights = _tensors(reader, ())
    for name in writing.halves:
        weights[name] = weights[name].astype(np.float16)
    if writing.kind is ProjectorKind.PIXTRAL:
        del weights["v.token_embd.img_break"]
        for block in range(_BLOCKS):
            for part in "qk":
                name = f"v.blk.{block}.attn_{part}.weight"
                weights[name] = _halves_of_heads(weights[name])
    if writing.kind is ProjectorKind.QWEN3VL:
        for block in range(_BLOCKS):
            for suffix in ("weight", "bias"):
                parts = np.split(weights.pop(f"v.blk.{block}.attn_qkv.{suffix}"), 3)
                weights |= {
                    f"v.blk.{block}.attn_{part}.{suffix}": value for part, value in zip("qkv", parts, strict=True)
                }
        frames = np.stack([weights.pop("v.patch_embd.weight"), weights.pop("v.patch_embd.weight.1")], axis=2)
        weights["v.patch_embd.weight"] = frames.reshape(-1, *frames.shape[2:]).astype(np.float16)
    renamed: dict[str, _Weights] = {}
    for name, value in weights.items():
        for theirs, ours in writing.names:
            name = name.replace(theirs, ours, 1)  # noqa: PLW2901 - one after the other
        renamed[name] = value
    return renamed


def _halves_of_heads(weights: _Weights) -> _Weights:
    """The rows of each head as models are trained: its two halves one after the other, not in turns."""
    rows, width = weights.shape
    heads = 2
    return weights.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)
