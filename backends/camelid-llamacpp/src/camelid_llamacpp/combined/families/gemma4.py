"""Gemma 4. What hears is left out: llama.cpp would take it to be as wide as another model's."""

from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family, ProjectorNames

__all__ = ("GEMMA4",)


def _language(draft: Draft) -> None:
    if draft.text("tokenizer.ggml.model") == "llama":
        draft.set_text("tokenizer.ggml.model", "gemma4")
    draft.rename((".ffn_gate_inp.per_expert_scale", ".ffn_down_exps.scale"))


GEMMA4 = Family(
    language=_language,
    projector=ProjectorNames(
        kind="gemma4v",
        mean=(0.0, 0.0, 0.0),
        spread=(1.0, 1.0, 1.0),
        defaults={"image_size": 224},
        keys={"projector.scale_factor": "vision.projector.scale_factor"},
        floats=("v.patch_embd.weight",),
        without=("a.", "mm.a."),
    ),
)
