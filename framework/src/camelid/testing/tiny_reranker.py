"""Rerankers of a few kilobytes with random weights, as GGUF files. Needs the package `gguf`.

What they prefer is nonsense, but the same nonsense each time, and both query and document count.
"""

from pathlib import Path
from string import ascii_lowercase, digits, punctuation
from typing import Final

import gguf
import numpy as np
import numpy.typing as npt

__all__ = ("RERANK_TEMPLATE", "write_cross_encoder", "write_judging_model")

RERANK_TEMPLATE: Final = "<|system|>Does it answer?<|user|>Query: {query}\nDocument: {document}<|assistant|>"
"""That of `write_judging_model`."""

_WIDTH: Final = 32
_HIDDEN: Final = 64
_HEADS: Final = 2

_LETTERS: Final = (*ascii_lowercase, *digits, *punctuation)
_WORD_PIECES: Final = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(f"▁{letter}" for letter in _LETTERS),
    *_LETTERS,
)
_BYTES: Final = tuple(f"<0x{byte:02X}>" for byte in range(256))
_CONTROL: Final = ("<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>")
_PIECES: Final = ("<unk>", *_CONTROL, *_BYTES, "▁")

_Shapes = dict[str, tuple[int, ...]]


def write_cross_encoder(
    path: Path,
    *,
    context_length: int = 512,
    outputs: int = 1,
    pooling: gguf.PoolingType | None = gguf.PoolingType.RANK,
    seed: int = 1,
) -> Path:
    """Write a model of BERT's kind that reads letter by letter.

    Args:
        path: the file to write.
        context_length: tokens that it has positions for.
        outputs: of the head that scores; 0 = it has none.
        pooling: what the file says of it; converters leave it unsaid.
        seed: of its weights.
    """
    writer = gguf.GGUFWriter(path, "bert")
    _describe(writer, context_length)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    if outputs > 1:
        writer.add_classifier_output_labels([f"LABEL_{number}" for number in range(outputs)])
    writer.add_tokenizer_model("bert")
    writer.add_token_list(list(_WORD_PIECES))
    writer.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * (2 * len(_LETTERS)))
    writer.add_token_type_count(2)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    shapes: _Shapes = {
        "token_embd.weight": (len(_WORD_PIECES), _WIDTH),
        "token_types.weight": (2, _WIDTH),
        "position_embd.weight": (context_length, _WIDTH),
    }
    linear: _Shapes = {f"attn_{name}": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "output")}
    linear |= {"ffn_up": (_HIDDEN, _WIDTH), "ffn_down": (_WIDTH, _HIDDEN)}
    linear = {f"blk.0.{name}": shape for name, shape in linear.items()}
    if outputs:
        linear |= {"cls": (_WIDTH, _WIDTH), "cls.output": (outputs, _WIDTH)}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        shapes |= {f"{name}.weight": (_WIDTH,), f"{name}.bias": (_WIDTH,)}
    return _finish(writer, shapes, path, seed)


def write_judging_model(
    path: Path, *, context_length: int = 512, template: str = RERANK_TEMPLATE, seed: int = 1
) -> Path:
    """Write a model of Qwen 3's kind, which says yes or no to a template with a place for each text.

    Args:
        path: the file to write.
        context_length: tokens that it was trained on, as it says.
        template: with `{query}` and `{document}`.
        seed: of its weights.
    """
    writer = gguf.GGUFWriter(path, "qwen3")
    _describe(writer, context_length)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_pooling_type(gguf.PoolingType.RANK)
    writer.add_classifier_output_labels(["yes", "no"])
    writer.add_chat_template([{"name": "rerank", "template": template}])
    writer.add_tokenizer_model("llama")
    writer.add_token_list(list(_PIECES))
    writer.add_token_scores([0.0] * len(_PIECES))
    kinds = [gguf.TokenType.CONTROL] * len(_CONTROL), [gguf.TokenType.BYTE] * len(_BYTES)
    writer.add_token_types([gguf.TokenType.UNKNOWN, *kinds[0], *kinds[1], gguf.TokenType.NORMAL])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)
    block: _Shapes = {
        "attn_norm.weight": (_WIDTH,),
        "attn_q_norm.weight": (_WIDTH // _HEADS,),
        "attn_k_norm.weight": (_WIDTH // _HEADS,),
        "ffn_norm.weight": (_WIDTH,),
        "ffn_gate.weight": (_HIDDEN, _WIDTH),
        "ffn_up.weight": (_HIDDEN, _WIDTH),
        "ffn_down.weight": (_WIDTH, _HIDDEN),
        **{f"attn_{name}.weight": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "output")},
    }
    shapes: _Shapes = {
        "token_embd.weight": (len(_PIECES), _WIDTH),
        "output_norm.weight": (_WIDTH,),
        "cls.output.weight": (2, _WIDTH),
        **{f"blk.0.{name}": shape for name, shape in block.items()},
    }
    return _finish(writer, shapes, path, seed)


def _describe(writer: gguf.GGUFWriter, context_length: int) -> None:
    writer.add_context_length(context_length)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_HIDDEN)
    writer.add_head_count(_HEADS)


def _finish(writer: gguf.GGUFWriter, shapes: _Shapes, path: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    for name, shape in shapes.items():
        writer.add_tensor(name, _weights(random, name, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _weights(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if name.endswith("norm.weight"):
        return np.ones(shape, np.float32)
    return random.normal(0.0, 0.3, shape).astype(np.float32)
