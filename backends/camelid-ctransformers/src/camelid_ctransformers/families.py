"""The families of older GGML files: what stands in their headers, and which tensors they have.

The layouts are those that ctransformers 0.2.27 reads. It does not look whether a tensor is missing, or a length is
absurd, so that is done here, before it sees the file.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ("FAMILIES", "MAGICS", "Family", "family_named")

_GGML, _GGMF, _GGJT, _GGCC = b"lmgg", b"fmgg", b"tjgg", b"ccgg"

MAGICS: Final = (_GGML, _GGMF, _GGJT, _GGCC)
"""First bytes of such files."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One layout."""

    name: str
    """In ctransformers' words, without punctuation."""
    magics: Mapping[bytes, tuple[int, ...]]
    """First bytes, and the versions that may follow them; none if none follows."""
    fields: tuple[str, ...]
    """The header's numbers in their order; `f:` before a floating-point number."""
    counts_tokens: bool = False
    """The number of tokens is said again before them."""
    scores: bool = False
    """Each token is followed by its score."""
    wide: bool = False
    """A token's bytes are written as the characters of those numbers, in UTF-8."""
    merges: bool = False
    """Pairs of the tokenizer stand behind the tokens."""
    sentencepiece: bool = False
    """The tokenizer is SentencePiece's; else a byte-level BPE whose merges are in the order of the tokens."""
    embedding: str
    """Name of the tensor of shape (`n_embd`, `n_vocab`)."""
    tensors: tuple[str, ...]
    """Names of all others; `*` stands for each layer's number."""
    optional: tuple[str, ...] = ()
    marks: tuple[bytes, ...] = ()
    """Texts of tokens that tell it from families with the same tensors."""

    def required(self, layers: int) -> set[str]:
        """The tensors that a file must have."""
        return {self.embedding, *_numbered(self.tensors, layers)}

    def known(self, layers: int) -> set[str]:
        """The tensors that a file may have."""
        return self.required(layers) | _numbered(self.optional, layers)


def _numbered(names: tuple[str, ...], layers: int) -> set[str]:
    return {name.replace("*", str(layer)) for name in names for layer in range(layers)}


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{part}" for name in names for part in ("weight", "bias"))


_PLAIN: Final[Mapping[bytes, tuple[int, ...]]] = {_GGML: ()}
_GPT2_FIELDS: Final = ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "ftype")
_GPT2_TENSORS: Final = (
    *("model/ln_f/g", "model/ln_f/b", "model/wpe"),
    *(f"model/h*/{name}/{part}" for name in ("ln_1", "ln_2") for part in "gb"),
    *(f"model/h*/{name}/{part}" for name in ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj") for part in "wb"),
)
_NEOX_FIELDS: Final = ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "n_rot", "par_res", "ftype")
_NEOX_TENSORS: Final = (
    *_both("gpt_neox.final_layer_norm"),
    "embed_out.weight",
    *_both(
        *("gpt_neox.layers.*.input_layernorm", "gpt_neox.layers.*.post_attention_layernorm"),
        *("gpt_neox.layers.*.attention.query_key_value", "gpt_neox.layers.*.attention.dense"),
        *("gpt_neox.layers.*.mlp.dense_h_to_4h", "gpt_neox.layers.*.mlp.dense_4h_to_h"),
    ),
)

FAMILIES: Final = (
    Family(
        name="starcoder",
        magics=_PLAIN,
        fields=_GPT2_FIELDS,
        counts_tokens=True,
        embedding="model/wte",
        tensors=_GPT2_TENSORS,
        optional=("model/lm_head",),
        marks=(b"<fim-prefix>", b"<fim_prefix>"),
    ),
    Family(
        name="gpt2",
        magics=_PLAIN,
        fields=_GPT2_FIELDS,
        counts_tokens=True,
        embedding="model/wte",
        tensors=_GPT2_TENSORS,
        optional=("model/lm_head",),
    ),
    Family(
        name="gptj",
        magics=_PLAIN,
        fields=("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "n_rot", "ftype"),
        counts_tokens=True,
        embedding="transformer.wte.weight",
        tensors=(
            *_both("transformer.ln_f", "lm_head", "transformer.h.*.ln_1"),
            *(f"transformer.h.*.attn.{name}_proj.weight" for name in ("q", "k", "v", "out")),
            *_both("transformer.h.*.mlp.fc_in", "transformer.h.*.mlp.fc_out"),
        ),
    ),
    Family(
        name="dollyv2",
        magics=_PLAIN,
        fields=_NEOX_FIELDS,
        embedding="gpt_neox.embed_in.weight",
        tensors=_NEOX_TENSORS,
        marks=(b"### End",),
    ),
    Family(
        name="gptneox",
        magics=_PLAIN,
        fields=_NEOX_FIELDS,
        embedding="gpt_neox.embed_in.weight",
        tensors=_NEOX_TENSORS,
    ),
    Family(
        name="mpt",
        magics=_PLAIN,
        fields=("n_embd", "n_ctx", "n_head", "n_layer", "n_vocab", "f:alibi", "f:clip", "ftype"),
        wide=True,
        embedding="transformer.wte.weight",
        tensors=(
            "transformer.norm_f.weight",
            *(
                f"transformer.blocks.*.{name}.weight"
                for name in ("norm_1", "norm_2", "attn.Wqkv", "attn.out_proj", "ffn.up_proj", "ffn.down_proj")
            ),
        ),
    ),
    Family(
        name="llama",
        magics={_GGMF: (1,), _GGJT: (1, 2, 3)},
        fields=("n_vocab", "n_embd", "n_mult", "n_head", "n_layer", "n_rot", "ftype"),
        scores=True,
        sentencepiece=True,
        embedding="tok_embeddings.weight",
        tensors=(
            *("norm.weight", "output.weight", "layers.*.attention_norm.weight", "layers.*.ffn_norm.weight"),
            *(f"layers.*.attention.w{name}.weight" for name in "qkvo"),
            *(f"layers.*.feed_forward.w{number}.weight" for number in (1, 2, 3)),
        ),
    ),
    Family(
        name="falcon",
        magics={_GGCC: (10,)},
        fields=("n_vocab", "n_embd", "n_head", "n_head_kv", "n_layer", "generation", "ftype", "n_merges"),
        scores=True,
        merges=True,
        embedding="transformer.word_embeddings.weight",
        tensors=(
            *_both("transformer.ln_f"),
            "lm_head.weight",
            *(
                f"transformer.h.*.{name}.weight"
                for name in (
                    "self_attention.query_key_value",
                    "self_attention.dense",
                    "mlp.dense_h_to_4h",
                    "mlp.dense_4h_to_h",
                )
            ),
        ),
        optional=_both(*(f"transformer.h.*.{name}" for name in ("input_layernorm", "ln_attn", "ln_mlp"))),
    ),
)
"""Those with marks stand before those without."""

_ALIASES: Final = {"gptbigcode": "starcoder", "dolly": "dollyv2", "stablelm": "gptneox", "redpajama": "gptneox"}


def family_named(name: str) -> Family | None:
    """The family that people call `name`, with any punctuation; None if ctransformers has no such."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    plain = _ALIASES.get(plain, plain)
    return next((family for family in FAMILIES if family.name == plain), None)
