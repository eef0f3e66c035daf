"""Qwen 2.5 VL, 3 VL, 3.5, and 3 Next, which is 3.5 without eyes."""

from math import isqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from camelid_llamacpp.combined.draft import Draft, DraftTensor
from camelid_llamacpp.combined.families.family import HALVES, OPENAI_MEAN, OPENAI_SPREAD, Family, ProjectorNames
from camelid_llamacpp.combined.numbers import made_of_floats, reads_as_floats
from camelid_llamacpp.combined.values import BOOL, INT32, array_value

__all__ = ("QWEN3NEXT", "QWEN3VL", "QWEN25VL", "QWEN35")

_SECTIONS: Final = {"qwen2vl": (16, 24, 24, 0), "qwen3vl": (24, 20, 20, 0), "qwen3vlmoe": (24, 20, 20, 0)}
"""How the positions' dimensions share a head, where the file does not say; all these models have the same."""
_STEP: Final = ".ssm_dt"
_COLOURS: Final = 3
_FRAMES: Final = 2
_MOST_MERGERS: Final = 64


def _sections(draft: Draft, architecture: str) -> None:
    """llama.cpp wants four numbers, of which the last is 0."""
    key = f"{architecture}.rope.dimension_sections"
    for told in (key, f"{architecture}.rope.mrope_section", f"{architecture}.mrope_sections"):
        sections = draft.wholes(told)
        if len(sections) in (3, 4):
            draft.metadata[key] = array_value(INT32, (*sections, 0)[:4])
            return
    if architecture in _SECTIONS:
        draft.metadata[key] = array_value(INT32, _SECTIONS[architecture])


def _qwen25vl_language(draft: Draft) -> None:
    draft.call_architecture("qwen2vl")
    _sections(draft, "qwen2vl")


def _qwen25vl_projector(draft: Draft) -> None:
    shape, full = draft.shape("v.blk.0.ffn_up.weight"), draft.wholes("qwen25vl.vision.fullatt_block_indexes")
    if len(shape) == 2 and draft.whole("clip.vision.feed_forward_length") is None:
        draft.set_whole("clip.vision.feed_forward_length", shape[1])
    if full and 0 <= full[0] < 1 << 16:
        draft.set_whole("clip.vision.n_wa_pattern", full[0] + 1)


def _qwen3vl_language(draft: Draft) -> None:
    architecture = draft.architecture
    _sections(draft, architecture)
    layers = draft.wholes(f"{architecture}.vision.deepstack_visual_indexes")
    if draft.whole(f"{architecture}.n_deepstack_layers") is None:
        draft.set_whole(f"{architecture}.n_deepstack_layers", len(layers))


def _qwen35_language(draft: Draft) -> None:
    architecture = draft.architecture
    _sections(draft, architecture)
    _mixed_layers(draft)
    if not any(".nextn." in name for name in draft.tensors):  # they were called `mtp.`, and are left out
        draft.metadata.pop(f"{architecture}.nextn_predict_layers", None)


def _mixed_layers(draft: Draft) -> None:
    """Layers that do not attend have no heads in the file; llama.cpp wants the number of the others."""
    key = f"{draft.architecture}.attention.head_count_kv"
    heads = draft.wholes(key)
    if len(heads) > 1:
        draft.set_whole(key, max(1, *heads))
    for name in [name for name in draft.tensors if name.endswith(_STEP)]:
        draft.tensors[f"{name}.bias"] = draft.tensors.pop(name)


def _qwen3vl_projector(draft: Draft) -> None:
    file = draft.architecture
    blocks = min(draft.whole("clip.vision.block_count") or 0, len(draft.tensors))
    hidden = draft.shape("v.blk.0.mlp.linear_fc1.weight")
    if len(hidden) == 2 and draft.whole("clip.vision.feed_forward_length") is None:
        draft.set_whole("clip.vision.feed_forward_length", hidden[1])
    places, patch = draft.shape("v.pos_embed.weight"), draft.whole("clip.vision.patch_size") or 0
    if len(places) == 2 and draft.whole("clip.vision.image_size") is None:
        draft.set_whole("clip.vision.image_size", min(isqrt(places[1]) * patch, 1 << 16))
    deep = draft.wholes(f"{file}.vision.deepstack_visual_indexes")[:_MOST_MERGERS]
    draft.metadata["clip.vision.is_deepstack_layers"] = array_value(BOOL, [block in deep for block in range(blocks)])
    draft.rename(*(pair for place, block in enumerate(deep) for pair in _deep_names(place, block)))
    for block in range(blocks):
        for suffix in ("weight", "bias"):
            _join_attention(draft, block, suffix)
    _split_patches(draft)


def _deep_names(place: int, block: int) -> tuple[tuple[str, str], ...]:
    """The mergers are counted in the file, llama.cpp calls them after the blocks that they follow."""
    names = (("norm", "norm"), ("linear_fc1", "fc1"), ("linear_fc2", "fc2"))
    return tuple((f"v.deepstack_merger.{place}.{old}.", f"v.deepstack.{block}.{new}.") for old, new in names)


def _join_attention(draft: Draft, block: int, suffix: str) -> None:
    parts = [f"v.blk.{block}.attn_{part}.{suffix}" for part in "qkv"]
    joined = f"v.blk.{block}.attn_qkv.{suffix}"
    draft.join(joined, parts)
    tensors = [draft.tensors[part] for part in parts if part in draft.tensors]
    # What is still apart has different element types.
    if len(tensors) == len(parts) and len({tensor.shape for tensor in tensors}) == 1 and reads_as_floats(*tensors):
        shape = tensors[0].shape
        draft.tensors[joined] = made_of_floats(tensors, (*shape[:-1], len(parts) * shape[-1]))
        for part in parts:
            del draft.tensors[part]


def _split_patches(draft: Draft) -> None:
    """The weights for two frames of a film lie in one tensor, llama.cpp wants two."""
    name = "v.patch_embed.weight"
    tensor = draft.tensors.get(name)
    if tensor is None or len(tensor.shape) != 4 or tensor.shape[2] != _FRAMES or tensor.shape[3] % _COLOURS:
        return
    if reads_as_floats(tensor):
        del draft.tensors[name]
        draft.tensors["v.patch_embd.weight"] = _frame(tensor, 0)
        draft.tensors["v.patch_embd.weight.1"] = _frame(tensor, 1)


def _frame(tensor: DraftTensor, number: int) -> DraftTensor:
    width, height, frames, outputs = tensor.shape

    def choose(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return numbers.reshape(outputs, frames, height, width)[:, number]

    return made_of_floats([tensor], (width, height, _COLOURS, outputs // _COLOURS), choose)


_QWEN3_PROJECTOR = ProjectorNames(
    kind="qwen3vl_merger",
    activation="gelu",
    mean=HALVES,
    spread=HALVES,
    tensors=(
        ("v.merger.norm", "v.post_ln"),
        ("v.merger.linear_fc1", "mm.0"),
        ("v.merger.linear_fc2", "mm.2"),
        ("v.patch_embed", "v.patch_embd"),
        ("v.pos_embed", "v.position_embd"),
        (".norm1", ".ln1"),
        (".norm2", ".ln2"),
        (".mlp.linear_fc1", ".ffn_up"),
        (".mlp.linear_fc2", ".ffn_down"),
    ),
    floats=("v.position_embd.weight",),
    adjust=_qwen3vl_projector,
)

QWEN25VL = Family(
    foreign=True,
    language=_qwen25vl_language,
    projector=ProjectorNames(
        kind="qwen2.5vl_merger",
        activation="silu",
        mean=OPENAI_MEAN,
        spread=OPENAI_SPREAD,
        defaults={"image_size": 560, "n_wa_pattern": 8},
        tensors=(
            ("v.merger.ln_q", "v.post_ln"),
            ("v.merger.mlp.0", "mm.0"),
            ("v.merger.mlp.2", "mm.2"),
            ("v.patch_embd_0.weight", "v.patch_embd.weight"),
            ("v.patch_embd_1.weight", "v.patch_embd.weight.1"),
        ),
        floats=("v.patch_embd.weight", "v.patch_embd.weight.1"),
        adjust=_qwen25vl_projector,
    ),
)
QWEN3VL = Family(lacks="rope.dimension_sections", language=_qwen3vl_language, projector=_QWEN3_PROJECTOR)
QWEN3NEXT = Family(mark_tensors=(_STEP,), language=_mixed_layers)
QWEN35 = Family(
    mark_tensors=(_STEP,),
    marks=frozenset({"image_token_id", "ssm.v_head_reordered", "rope.mrope_interleaved"}),
    language=_qwen35_language,
    projector=_QWEN3_PROJECTOR,
)
