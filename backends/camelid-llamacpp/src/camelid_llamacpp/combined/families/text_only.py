"""Families without eyes, or whose eyes llama.cpp cannot be given, and which Ollama writes differently."""

from typing import Final

from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family
from camelid_llamacpp.combined.values import text_value, whole_value

__all__ = ("TEXT_ONLY",)

_NORMAL, _BYTE = 1, 6
"""Kinds of tokens."""
_LATENT: Final = ".ffn_latent_in.weight"


def _gptoss(draft: Draft) -> None:
    draft.call_architecture("gpt-oss")
    width = draft.shape("blk.0.ffn_gate_exps.weight")
    if len(width) == 3 and draft.whole("gpt-oss.expert_feed_forward_length") is None:
        draft.set_whole("gpt-oss.expert_feed_forward_length", width[1])
    draft.default("gpt-oss.rope.scaling.type", text_value("yarn"))
    draft.set_text("tokenizer.ggml.pre", "gpt-4o")
    draft.rename((".attn_out.", ".attn_output."), (".ffn_norm.", ".post_attention_norm."))
    for name in [name for name in draft.tensors if name.endswith(".attn_sinks")]:
        draft.tensors[f"{name}.weight"] = draft.tensors.pop(name)


def _gemma3n(draft: Draft) -> None:
    """Words that only pictures and sounds need have no row in one of the two embeddings."""
    rows = draft.shape("per_layer_token_embd.weight")[1:]
    if rows and draft.shape("token_embd.weight")[1:] != rows:
        draft.cut("token_embd.weight", rows[0])
        draft.cut_vocabulary(rows)
        draft.change_kinds(_gemma3n_kind)
        draft.set_text("tokenizer.ggml.model", "llama")


def _gemma3n_kind(word: bytes) -> int | None:
    """Bytes and spare words are not known as such in the file."""
    if len(word) == len(b"<0x00>") and word.startswith(b"<0x") and word.endswith(b">"):
        return _BYTE
    return _NORMAL if word.startswith(b"<unused") else None


def _olmo3(draft: Draft) -> None:
    draft.call_architecture("olmo2")


def _deepseekocr(draft: Draft) -> None:
    draft.call_architecture("deepseek2-ocr")
    draft.default_decimal("deepseek2-ocr.attention.layer_norm_rms_epsilon", 1e-6)
    experts, shared = draft.shape("blk.1.ffn_down_exps.weight"), draft.shape("blk.1.ffn_down_shexp.weight")
    if experts and draft.whole("deepseek2-ocr.expert_feed_forward_length") is None:
        draft.set_whole("deepseek2-ocr.expert_feed_forward_length", experts[0])
    width = draft.whole("deepseek2-ocr.expert_feed_forward_length")
    if shared and width and draft.whole("deepseek2-ocr.expert_shared_count") is None:
        draft.set_whole("deepseek2-ocr.expert_shared_count", shared[0] // width)


def _lfm2(draft: Draft) -> None:
    if "token_embd_norm.weight" not in draft.tensors and "output_norm.weight" in draft.tensors:
        draft.tensors["token_embd_norm.weight"] = draft.tensors.pop("output_norm.weight")
    draft.set_text("tokenizer.ggml.pre", "lfm2")
    hidden = draft.shape("blk.0.ffn_gate.weight")
    if len(hidden) == 2:
        draft.set_whole("lfm2.feed_forward_length", hidden[1])


def _glm4moelite(draft: Draft) -> None:
    """Its attention is DeepSeek's, of which llama.cpp wants the widths after compression."""
    draft.call_architecture("deepseek2")
    head = draft.whole("deepseek2.attention.key_length")
    rank, turned = draft.whole("deepseek2.attention.kv_lora_rank"), draft.whole("deepseek2.rope.dimension_count")
    draft.set_whole("deepseek2.attention.head_count_kv", 1)
    if head is not None:
        draft.set_whole("deepseek2.attention.key_length_mla", head)
        draft.set_whole("deepseek2.attention.value_length_mla", head)
    if rank is not None and turned is not None and rank + turned < 1 << 32:
        draft.set_whole("deepseek2.attention.key_length", rank + turned)
        draft.set_whole("deepseek2.attention.value_length", rank)
    draft.default("deepseek2.expert_group_count", whole_value(1))
    draft.default("deepseek2.expert_group_used_count", whole_value(1))
    draft.set_text("tokenizer.ggml.pre", "glm4")
    ends = draft.wholes("tokenizer.ggml.eos_token_ids")
    for name, token in zip(("eot_token_id", "eom_token_id"), ends[1:], strict=False):
        if 0 <= token < 1 << 32:
            draft.default(f"tokenizer.ggml.{name}", whole_value(token))


def _nemotron(draft: Draft) -> None:
    if draft.architecture == "nemotron_h_omni":
        experts = draft.whole("nemotron_h_omni.expert_count") or draft.whole("nemotron_h_omni.expert_used_count")
        draft.call_architecture("nemotron_h_moe" if experts else "nemotron_h")
    for name, tensor in draft.tensors.items():
        if name.endswith(_LATENT) and len(tensor.shape) == 2:
            draft.default("nemotron_h_moe.moe_latent_size", whole_value(tensor.shape[1]))
    draft.rename((".ffn_latent_in", ".ffn_latent_down"), (".ffn_latent_out", ".ffn_latent_up"))


def _laguna(draft: Draft) -> None:
    draft.copy("laguna.rope.swa.dimension_count", "laguna.rope.dimension_count_swa")
    draft.copy("laguna.rope.swa.freq_base", "laguna.rope.freq_base_swa")
    draft.rename((".attn_g.weight", ".attn_gate.weight"))


TEXT_ONLY: Final = {
    "deepseekocr": Family(foreign=True, language=_deepseekocr),
    "gemma3n": Family(marks=frozenset({"head_dim", "rope.freq_base_local"}), language=_gemma3n),
    "glm4moelite": Family(foreign=True, language=_glm4moelite),
    "gptoss": Family(foreign=True, language=_gptoss),
    "laguna": Family(
        marks=frozenset({"rope.swa.dimension_count", "rope.swa.freq_base"}),
        mark_tensors=(".attn_g.weight",),
        language=_laguna,
    ),
    "lfm2": Family(mark_tensors=("output_norm.weight",), language=_lfm2),
    "nemotron_h_moe": Family(mark_tensors=(_LATENT,), language=_nemotron),
    "nemotron_h_omni": Family(foreign=True, language=_nemotron),
    "olmo3": Family(foreign=True, language=_olmo3),
}
