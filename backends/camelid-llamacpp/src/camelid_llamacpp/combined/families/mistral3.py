"""Mistral Small 3.1 and its relatives."""

import numpy as np
import numpy.typing as npt

from camelid_llamacpp.combined.draft import Draft, DraftTensor
from camelid_llamacpp.combined.families.family import OPENAI_MEAN, OPENAI_SPREAD, Family, ProjectorNames
from camelid_llamacpp.combined.numbers import FLOAT32_KIND, made_of_floats, reads_as_floats

__all__ = ("MISTRAL3",)

_BREAK = "[IMG_BREAK]"


def _language(draft: Draft) -> None:
    draft.copy("mistral3.rope.scaling.beta_fast", "mistral3.rope.scaling.yarn_beta_fast")
    draft.copy("mistral3.rope.scaling.beta_slow", "mistral3.rope.scaling.yarn_beta_slow")
    draft.copy("mistral3.rope.scaling.mscale_all_dim", "mistral3.rope.scaling.yarn_log_multiplier")
    draft.copy("mistral3.rope.scaling_beta", "mistral3.attention.temperature_scale")
    if draft.text("tokenizer.ggml.pre") in ("", "default"):
        draft.set_text("tokenizer.ggml.pre", "tekken")


def _projector(draft: Draft) -> None:
    heads = draft.whole("mistral3.vision.attention.head_count") or 0
    for block in range(min(draft.whole("mistral3.vision.block_count") or 0, len(draft.tensors))):
        for part in "qk":
            name = f"v.blk.{block}.attn_{part}.weight"
            if name in draft.tensors:
                draft.tensors[name] = _permuted(draft.tensors[name], heads)
    draft.tensors["v.token_embd.img_break"] = _break_embedding(draft)


def _permuted(tensor: DraftTensor, heads: int) -> DraftTensor:
    """The rows of a head in the order that llama.cpp rotates: Ollama leaves those of the projector as they were
    trained, the two halves of a head one after the other instead of in turns.
    """
    if len(tensor.shape) != 2 or not heads or tensor.shape[1] % (2 * heads) or not reads_as_floats(tensor):
        return tensor
    width, rows = tensor.shape

    def permute(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return numbers.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2)

    return made_of_floats([tensor], tensor.shape, permute)


def _break_embedding(draft: Draft) -> DraftTensor:
    """The row of the language model's embedding for the token after each row of a picture; zeros if it has none."""
    row = draft.source_row("token_embd.weight", draft.word_number(_BREAK))
    if row is not None and reads_as_floats(row):
        return made_of_floats([row], row.shape)
    width = draft.source_width("token_embd.weight")
    return DraftTensor(FLOAT32_KIND, (width,), (bytes(4 * width),))


MISTRAL3 = Family(
    marks=frozenset({"rope.scaling.beta_fast", "rope.scaling.mscale_all_dim", "rope.scaling_beta"}),
    language=_language,
    projector=ProjectorNames(
        kind="pixtral",
        activation="silu",
        epsilon=1e-5,
        mean=OPENAI_MEAN,
        spread=OPENAI_SPREAD,
        keys={"spatial_merge_size": "spatial_merge_size"},
        tensors=(
            ("v.patch_conv", "v.patch_embd"),
            ("v.encoder_norm", "v.pre_ln"),
            (".attn_output", ".attn_out"),
            (".attn_norm", ".ln1"),
            (".ffn_norm", ".ln2"),
            ("mm.linear_1", "mm.1"),
            ("mm.linear_2", "mm.2"),
            ("mm.patch_merger.merging_layer", "mm.patch_merger"),
            ("mm.norm", "mm.input_norm"),
        ),
        floats=("v.patch_embd.weight",),
        adjust=_projector,
    ),
)
