"""Families without eyes, or whose eyes llama.cpp cannot be given, and which Ollama writes differently."""

from typing import Final

from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family
from camelid_llamacpp.combined.values import text_value

__all__ = ("TEXT_ONLY",)


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
        draft.set_text("tokenizer.ggml.model", "llama")


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


TEXT_ONLY: Final = {
    "gptoss": Family(foreign=True, language=_gptoss),
    "gemma3n": Family(marks=frozenset({"head_dim", "rope.freq_base_local"}), language=_gemma3n),
    "olmo3": Family(foreign=True, language=_olmo3),
    "deepseekocr": Family(foreign=True, language=_deepseekocr),
}
