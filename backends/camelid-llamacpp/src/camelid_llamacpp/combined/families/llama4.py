"""Llama 4."""

from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family, ProjectorNames

__all__ = ("LLAMA4",)


def _projector(draft: Draft) -> None:
    ratio = draft.decimal("llama4.vision.pixel_shuffle_ratio")
    if ratio is not None and 0 < ratio <= 1:
        draft.set_whole("clip.vision.projector.scale_factor", round(min(1 / ratio, 1 << 8)))


LLAMA4 = Family(
    projector=ProjectorNames(
        kind="llama4",
        activation="gelu",
        defaults={"projector.scale_factor": 2},
        decimals={"attention.layer_norm_epsilon": "vision.layer_norm_epsilon"},
        tensors=(
            ("v.vision_adapter.mlp.fc1", "mm.model.mlp.1"),
            ("v.vision_adapter.mlp.fc2", "mm.model.mlp.2"),
            ("mm.linear_1", "mm.model.fc"),
            ("v.class_embedding", "v.class_embd"),
            ("v.layernorm_post", "v.post_ln"),
            ("v.layernorm_pre", "v.pre_ln"),
            ("v.patch_embedding", "v.patch_embd"),
            ("v.positional_embedding_vlm", "v.position_embd.weight"),
            (".attn_output", ".attn_out"),
            (".attn_norm", ".ln1"),
            (".ffn_norm", ".ln2"),
            (".mlp.fc1", ".ffn_up"),
            (".mlp.fc2", ".ffn_down"),
        ),
        adjust=_projector,
    ),
)
