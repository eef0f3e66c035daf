"""Gemma 3."""

from math import isqrt

from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family, ProjectorNames
from camelid_llamacpp.combined.values import text_value

__all__ = ("GEMMA3",)

_LONG_CONTEXT = 131072
"""Tokens of the models whose positions are scaled."""


def _language(draft: Draft) -> None:
    if "dense.0.weight" in draft.tensors:
        _embedding_model(draft)
        return
    draft.copy("gemma3.rope.global.freq_base", "gemma3.rope.freq_base")
    draft.copy("gemma3.rope.local.freq_base", "gemma3.rope.freq_base_swa")
    draft.default_decimal("gemma3.attention.layer_norm_rms_epsilon", 1e-6)
    draft.default_decimal("gemma3.rope.freq_base", 1e6)
    draft.default_decimal("gemma3.rope.freq_base_swa", 1e4)
    if (draft.whole("gemma3.context_length") or 0) >= _LONG_CONTEXT:
        draft.default("gemma3.rope.scaling.type", text_value("linear"))
        draft.default_decimal("gemma3.rope.scaling.factor", 8.0)
    # Words that only pictures need have no row in the embedding.
    draft.cut_vocabulary(draft.shape("token_embd.weight")[1:])


def _embedding_model(draft: Draft) -> None:
    draft.call_architecture("gemma-embedding")
    for key in ("attention.causal", "attention.sliding_window_pattern"):
        draft.metadata.pop(f"gemma-embedding.{key}", None)
    draft.copy("gemma-embedding.rope.global.freq_base", "gemma-embedding.rope.freq_base")
    draft.default_decimal("gemma-embedding.rope.freq_base_swa", 1e4)
    for layer, name in ((0, "dense_2"), (1, "dense_3")):
        shape = draft.shape(f"dense.{layer}.weight")
        if len(shape) == 2:
            draft.set_whole(f"gemma-embedding.{name}_feat_in", shape[0])
            draft.set_whole(f"gemma-embedding.{name}_feat_out", shape[1])
    draft.rename(("dense.0.weight", "dense_2.weight"), ("dense.1.weight", "dense_3.weight"))
    if "output_norm.weight" not in draft.tensors and "norm.weight" in draft.tensors:
        draft.tensors["output_norm.weight"] = draft.tensors.pop("norm.weight")


def _projector(draft: Draft) -> None:
    """A square of patches becomes one token; how large it is follows from the tokens of a picture."""
    size, patch = draft.whole("gemma3.vision.image_size"), draft.whole("gemma3.vision.patch_size")
    tokens = isqrt(draft.whole("gemma3.mm.tokens_per_image") or 0)
    if size and patch and tokens and size // patch >= tokens:
        draft.set_whole("clip.vision.projector.scale_factor", size // patch // tokens)


GEMMA3 = Family(
    marks=frozenset({"mm.tokens_per_image", "rope.global.freq_base", "rope.local.freq_base"}),
    lacks="attention.layer_norm_rms_epsilon",
    language=_language,
    projector=ProjectorNames(
        kind="gemma3",
        activation="gelu",
        tensors=(
            ("v.patch_embedding", "v.patch_embd"),
            ("v.position_embedding", "v.position_embd"),
            ("v.post_layernorm", "v.post_ln"),
            (".layer_norm1", ".ln1"),
            (".layer_norm2", ".ln2"),
            (".attn_output", ".attn_out"),
            # The other way round than their names say; llama.cpp knows that of this family, and looks at the shapes.
            (".mlp.fc1", ".ffn_down"),
            (".mlp.fc2", ".ffn_up"),
            ("mm.mm_input_projection", "mm.input_projection"),
            ("mm.mm_soft_emb_norm", "mm.soft_emb_norm"),
        ),
        floats=("v.patch_embd.weight", "v.position_embd.weight"),
        adjust=_projector,
    ),
)
