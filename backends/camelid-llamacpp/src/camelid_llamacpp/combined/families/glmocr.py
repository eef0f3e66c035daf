"""GLM-OCR."""

from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family, ProjectorNames
from camelid_llamacpp.combined.values import INT32, array_value

__all__ = ("GLMOCR",)


def _language(draft: Draft) -> None:
    draft.call_architecture("glm4")
    sections = draft.wholes("glm4.rope.mrope_section")
    if len(sections) == 3:
        draft.metadata["glm4.rope.dimension_sections"] = array_value(INT32, (*sections, 0))
    draft.copy("glm4.attention.key_length", "glm4.rope.dimension_count")
    draft.set_text("tokenizer.ggml.pre", "chatglm-bpe")
    draft.rename(
        (".attn_out.", ".attn_output."),
        (".post_attn_norm.", ".post_attention_norm."),
        (".post_ffn_norm.", ".post_ffw_norm."),
    )
    for block in range(min(draft.whole("glm4.block_count") or 0, len(draft.tensors))):
        names = [f"blk.{block}.ffn_{part}.weight" for part in ("gate", "up")]
        draft.join(names[1], names)


GLMOCR = Family(
    foreign=True,
    language=_language,
    projector=ProjectorNames(
        kind="glm4v",
        activation="silu",
        keys={"feed_forward_length": "vision.intermediate_size", "projection_dim": "vision.out_hidden_size"},
        decimals={"attention.layer_norm_epsilon": "vision.attention.layer_norm_rms_epsilon"},
        tensors=(("v.patch_embd_0.weight", "v.patch_embd.weight"), ("v.patch_embd_1.weight", "v.patch_embd.weight.1")),
        floats=("v.patch_embd.weight", "v.patch_embd.weight.1"),
    ),
)
