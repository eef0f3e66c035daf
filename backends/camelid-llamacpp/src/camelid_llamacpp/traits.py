"""What kind of model a file holds, as far as it decides what can be done with it."""

import ctypes

import msgspec
import numpy as np
import numpy.typing as npt

from camelid_llamacpp.native import llama_cpp

__all__ = ("SOFTMAX_ARCHITECTURES", "ModelTraits", "metadata", "read_traits")

SOFTMAX_ARCHITECTURES = frozenset({"qwen3", "qwen3vl"})
"""Whose rerankers llama.cpp gives the last token's probability of "yes"; of others the first token's logit."""

_NO_ROPE = -1


class ModelTraits(msgspec.Struct, frozen=True):
    """Facts of a model that its decoder and its embedder go by."""

    architecture: str
    vocabulary_size: int
    tokenizes: bool
    """Whether the file has a vocabulary, not only its size."""
    pooling: int
    """How the model makes one vector of many: a `LLAMA_POOLING_TYPE_*`, `NONE` if it does not."""
    causal: bool
    """Whether a token sees only those before it."""
    generates: bool
    """Whether it predicts next tokens, rather than only embedding or ranking."""
    encoder_only: bool
    """Whether it has to be computed with `llama_encode`."""
    shares_prefixes: bool
    """Whether its memory is made of cells, one a token; a recurrent state cannot be split."""
    shifts: bool
    """Whether tokens can be moved to other positions afterwards."""
    extends: bool
    """Whether it can attend to more tokens than it was trained on; learned positions come to an end."""
    window: int
    """Tokens that its sliding-window layers look back on; 0 = it has none."""
    suppressed_tokens: npt.NDArray[np.intp]
    """Tokens that it must never choose."""
    ranks: bool = False
    """Whether it has a head that scores; its pooling is `RANK` then."""


def metadata(model: int, key: str) -> str:
    """A value of the file's metadata as text; empty if there is none."""
    room = 256
    while True:
        buffer = ctypes.create_string_buffer(room)
        size: int = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, room)
        if size < 0:
            return ""
        if size < room:
            return buffer.value.decode("utf-8", "replace")
        room = size + 1


def read_traits(model: int) -> ModelTraits:
    """Look at a loaded model, given its handle."""
    architecture = metadata(model, "general.architecture")
    pooling = metadata(model, f"{architecture}.pooling_type")
    causal = metadata(model, f"{architecture}.attention.causal") != "false"
    encoder: bool = llama_cpp.llama_model_has_encoder(model)
    decoder: bool = llama_cpp.llama_model_has_decoder(model)
    stateful: bool = llama_cpp.llama_model_is_recurrent(model) or llama_cpp.llama_model_is_hybrid(model)
    rotary = llama_cpp.llama_model_rope_type(model) != _NO_ROPE
    vocabulary: int = llama_cpp.llama_model_get_vocab(model)
    return ModelTraits(
        architecture=architecture,
        vocabulary_size=llama_cpp.llama_vocab_n_tokens(vocabulary),
        tokenizes=llama_cpp.llama_vocab_type(vocabulary) != llama_cpp.LLAMA_VOCAB_TYPE_NONE,
        pooling=int(pooling) if pooling.isdecimal() else llama_cpp.LLAMA_POOLING_TYPE_NONE,
        causal=causal and not encoder,
        generates=(
            decoder
            and not encoder  # encoder and decoder: the prompt would go to the one, the answer to the other
            and causal
            and pooling in ("", str(llama_cpp.LLAMA_POOLING_TYPE_NONE))
            and not llama_cpp.llama_model_is_diffusion(model)
        ),
        encoder_only=encoder and not decoder,
        shares_prefixes=not stateful,
        shifts=rotary and not stateful,
        extends=causal and (rotary or stateful),
        window=llama_cpp.llama_model_n_swa(model),
        suppressed_tokens=_suppressed(vocabulary),
    )


def _suppressed(vocabulary: int) -> npt.NDArray[np.intp]:
    count = ctypes.c_int32()
    tokens = llama_cpp.llama_vocab_get_suppress_tokens(vocabulary, ctypes.byref(count))
    return np.array(tokens[: count.value] if count.value else (), np.intp)
