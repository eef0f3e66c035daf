"""Files that llama.cpp loads, and that end the process as soon as something is computed: they are refused instead."""

from pathlib import Path
from typing import Final

from camelid.errors import InvalidModelFileError
from camelid_llamacpp.combined.gguf_file import read_gguf
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.traits import ModelTraits, metadata

__all__ = ("check_soundness",)

_TWO_MASKS: Final = {"gemma-embedding": (6, False), "modern-bert": (3, True)}
"""Encoders whose layers look at all tokens or at those near by: every how manieth looks at all of them unless the file
says so, and whether the first of so many does."""
_NO_TOKEN: Final = -1


def check_soundness(name: str, model: int, traits: ModelTraits, path: Path) -> None:
    """Refuse a loaded model whose file makes llama.cpp fail an assertion later.

    Args:
        name: of the model, for the client.
        model: its handle.
        traits: of it.
        path: of its file, or of the first of several.

    Raises:
        InvalidModelFileError: a token is missing that texts begin or end with, or a kind of layer.
    """
    fault = _missing_token(llama_cpp.llama_model_get_vocab(model)) or _missing_layers(name, model, traits, path)
    if fault:
        raise InvalidModelFileError(
            f"the file of model {name!r} cannot be used: {fault}; get the model from elsewhere, or convert it again",
            reason="llama.cpp would end the process",
        )


def _missing_token(vocabulary: int) -> str:
    """What `llama_tokenize` asserts when it adds the tokens that a text begins and ends with."""
    begin: int = llama_cpp.llama_vocab_bos(vocabulary)
    end: int = llama_cpp.llama_vocab_eos(vocabulary)
    match llama_cpp.llama_vocab_type(vocabulary):
        case llama_cpp.LLAMA_VOCAB_TYPE_WPM:
            if begin == _NO_TOKEN:
                return "it does not say which token a text begins with, [CLS] most often (tokenizer.ggml.bos_token_id)"
            if llama_cpp.llama_vocab_sep(vocabulary) == _NO_TOKEN:
                return (
                    "it does not say which token a text ends with, [SEP] most often (tokenizer.ggml.seperator_token_id)"
                )
        case llama_cpp.LLAMA_VOCAB_TYPE_SPM | llama_cpp.LLAMA_VOCAB_TYPE_BPE | llama_cpp.LLAMA_VOCAB_TYPE_UGM:
            if begin == _NO_TOKEN and llama_cpp.llama_vocab_get_add_bos(vocabulary):
                return "it wants a token before each text and does not say which (tokenizer.ggml.bos_token_id)"
            if end == _NO_TOKEN and llama_cpp.llama_vocab_get_add_eos(vocabulary):
                return "it wants a token after each text and does not say which (tokenizer.ggml.eos_token_id)"
    return ""


def _missing_layers(name: str, model: int, traits: ModelTraits, path: Path) -> str:
    """Both masks of such a model are filled in for each batch, and one that no layer uses is not there."""
    if not traits.window or traits.architecture not in _TWO_MASKS:
        return ""
    every, first = _TWO_MASKS[traits.architecture]
    key = f"{traits.architecture}.attention.sliding_window_pattern"
    pattern = metadata(model, key)
    every = int(pattern) if pattern.isdecimal() else every
    layers: int = llama_cpp.llama_model_n_layer(model)
    near = [not every or place % every != (0 if first else every - 1) for place in range(layers)]
    # llama.cpp does not tell of a key whose value is a list, which speaks for each layer.
    if len(set(near)) == 2 or (not pattern and key in read_gguf(path, f"model {name!r}").metadata):
        return ""
    kind = "near by, and none at all tokens" if near and near[0] else "at all tokens, and none near by"
    return f"of its layers, {layers} in all, each looks {kind}, which llama.cpp does not compute"
