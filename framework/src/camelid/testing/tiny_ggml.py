"""Files of the formats before GGUF, a few hundred kilobytes each, with random weights.

For tests of backends that load such files, and of whatever else reads them. What these models say is nonsense, but
the same nonsense each time: what goes in decides what comes out.
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ("CONTEXT", "FAMILIES", "write_ggml_model")

CONTEXT: Final = 256
"""Tokens that the models were trained on, as they say; LLaMA's and Falcon's files do not say."""
FAMILIES: Final = ("gpt2", "starcoder", "gptj", "gptneox", "dollyv2", "mpt", "llama", "falcon")
"""In ctransformers' words."""

_WIDTH: Final = 32
_HEADS: Final = 4
_HEAD: Final = _WIDTH // _HEADS
_LAYERS: Final = 2
_MULTIPLE: Final = 32
"""LLaMA's feed-forward width is rounded up to a multiple of it."""
_ALIGNMENT: Final = 32
_PRINTABLE: Final = range(0x20, 0x7F)

_Shapes: TypeAlias = dict[str, tuple[int, ...]]


def write_ggml_model(path: Path, family: str, *, half: bool = False, seed: int = 1) -> Path:
    """Write a model that generates.

    Args:
        path: the file to write.
        family: one of `FAMILIES`.
        half: matrices of 16-bit numbers instead of 32-bit ones.
        seed: of its weights.
    """
    tokens = _tokens(family)
    shapes, embedding, head = _SHAPES[family](len(tokens))
    weights = _random_weights(shapes, seed)
    silent = [token for token, text in enumerate(tokens) if len(text) != 1 or text[0] not in _PRINTABLE]
    weights[head][silent] = 0  # of so many printable ones, some token is always likelier
    assert embedding in weights  # noqa: S101 - a mistake in the tables above
    with path.open("wb") as file:
        file.write(_header(family, len(tokens), half=half))
        for token, text in enumerate(tokens):
            data = text.decode("latin-1").encode() if family == "mpt" else text
            file.write(struct.pack("<I", len(data)) + data)
            if family in ("llama", "falcon"):
                file.write(struct.pack("<f", -float(token)))
        if family == "falcon":
            file.write(struct.pack("<II1sI1s", 1, 1, b"a", 1, b"b"))
        for name, value in weights.items():
            matrix = half and value.ndim == 2 and name != "model/wpe"
            encoded = name.encode()
            file.write(struct.pack("<iii", value.ndim, len(encoded), int(matrix)))
            file.write(struct.pack(f"<{value.ndim}i", *reversed(value.shape)) + encoded)
            if family in ("llama", "falcon"):
                file.write(bytes(-file.tell() % _ALIGNMENT))
            file.write(value.astype(np.float16 if matrix else np.float32).tobytes())
    return path


def _tokens(family: str) -> list[bytes]:
    """All bytes, some merges of them, and the tokens that stand for no text."""
    single = [bytes((byte,)) for byte in range(256)]
    merged = [b" t", b"he", b" the", b"in", b"er", b"\xc3\xa9"]
    match family:
        case "llama":
            return [b"", b"", b"", *single, *(bytes((byte,)) for byte in _PRINTABLE), *merged]
        case "starcoder":
            return [b"<|endoftext|>", b"<fim_prefix>", *single, *merged, b"<|user|>", b"<|end|>"]
        case "dollyv2":
            return [b"<|endoftext|>", *single, *merged, b"### End", b"### Instruction:", b"### Response:"]
        case "gptneox" | "falcon":
            return [b"<|endoftext|>", *single, *merged]
    return [*single, *merged, b"<|endoftext|>"]


def _header(family: str, tokens: int, *, half: bool) -> bytes:
    kind = int(half)
    match family:
        case "llama":
            return struct.pack("<4sI7i", b"tjgg", 3, tokens, _WIDTH, _MULTIPLE, _HEADS, _LAYERS, _HEAD, kind)
        case "falcon":
            return struct.pack("<4sI8i", b"ccgg", 10, tokens, _WIDTH, _HEADS, 1, _LAYERS, 7, kind, 1)
        case "mpt":
            return struct.pack("<4s5i2fi", b"lmgg", _WIDTH, CONTEXT, _HEADS, _LAYERS, tokens, 8.0, 0.0, kind)
        case "gptj":
            return struct.pack("<4s8i", b"lmgg", tokens, CONTEXT, _WIDTH, _HEADS, _LAYERS, _HEAD, kind, tokens)
        case "gptneox" | "dollyv2":
            return struct.pack("<4s8i", b"lmgg", tokens, CONTEXT, _WIDTH, _HEADS, _LAYERS, _HEAD, 1, kind)
    return struct.pack("<4s7i", b"lmgg", tokens, CONTEXT, _WIDTH, _HEADS, _LAYERS, kind, tokens)


def _with_bias(name: str, outputs: int, inputs: int) -> _Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str) -> _Shapes:
    return {f"{name}.weight": (_WIDTH,), f"{name}.bias": (_WIDTH,)}


def _gpt2(tokens: int) -> tuple[_Shapes, str, str]:
    shapes: _Shapes = {
        "model/ln_f/g": (_WIDTH,),
        "model/ln_f/b": (_WIDTH,),
        "model/wte": (tokens, _WIDTH),
        "model/wpe": (CONTEXT, _WIDTH),
        "model/lm_head": (tokens, _WIDTH),
    }
    matrices = {"attn/c_attn": (3, 1), "attn/c_proj": (1, 1), "mlp/c_fc": (4, 1), "mlp/c_proj": (1, 4)}
    for layer in range(_LAYERS):
        for name in ("ln_1", "ln_2"):
            shapes |= {f"model/h{layer}/{name}/{part}": (_WIDTH,) for part in "gb"}
        for name, (outputs, inputs) in matrices.items():
            shapes[f"model/h{layer}/{name}/w"] = (outputs * _WIDTH, inputs * _WIDTH)
            shapes[f"model/h{layer}/{name}/b"] = (outputs * _WIDTH,)
    return shapes, "model/wte", "model/lm_head"


def _gptj(tokens: int) -> tuple[_Shapes, str, str]:
    shapes: _Shapes = {"transformer.wte.weight": (tokens, _WIDTH)}
    shapes |= _norm("transformer.ln_f") | _with_bias("lm_head", tokens, _WIDTH)
    for layer in range(_LAYERS):
        block = f"transformer.h.{layer}"
        shapes |= _norm(f"{block}.ln_1")
        shapes |= {f"{block}.attn.{name}_proj.weight": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "out")}
        shapes |= _with_bias(f"{block}.mlp.fc_in", 4 * _WIDTH, _WIDTH)
        shapes |= _with_bias(f"{block}.mlp.fc_out", _WIDTH, 4 * _WIDTH)
    return shapes, "transformer.wte.weight", "lm_head.weight"


def _neox(tokens: int) -> tuple[_Shapes, str, str]:
    shapes: _Shapes = {"gpt_neox.embed_in.weight": (tokens, _WIDTH), "embed_out.weight": (tokens, _WIDTH)}
    shapes |= _norm("gpt_neox.final_layer_norm")
    for layer in range(_LAYERS):
        block = f"gpt_neox.layers.{layer}"
        shapes |= _norm(f"{block}.input_layernorm") | _norm(f"{block}.post_attention_layernorm")
        shapes |= _with_bias(f"{block}.attention.query_key_value", 3 * _WIDTH, _WIDTH)
        shapes |= _with_bias(f"{block}.attention.dense", _WIDTH, _WIDTH)
        shapes |= _with_bias(f"{block}.mlp.dense_h_to_4h", 4 * _WIDTH, _WIDTH)
        shapes |= _with_bias(f"{block}.mlp.dense_4h_to_h", _WIDTH, 4 * _WIDTH)
    return shapes, "gpt_neox.embed_in.weight", "embed_out.weight"


def _mpt(tokens: int) -> tuple[_Shapes, str, str]:
    shapes: _Shapes = {"transformer.wte.weight": (tokens, _WIDTH), "transformer.norm_f.weight": (_WIDTH,)}
    matrices = {"attn.Wqkv": (3, 1), "attn.out_proj": (1, 1), "ffn.up_proj": (4, 1), "ffn.down_proj": (1, 4)}
    for layer in range(_LAYERS):
        block = f"transformer.blocks.{layer}"
        shapes |= {f"{block}.norm_{number}.weight": (_WIDTH,) for number in (1, 2)}
        for name, (outputs, inputs) in matrices.items():
            shapes[f"{block}.{name}.weight"] = (outputs * _WIDTH, inputs * _WIDTH)
    return shapes, "transformer.wte.weight", "transformer.wte.weight"


def _llama(tokens: int) -> tuple[_Shapes, str, str]:
    hidden = -(-(8 * _WIDTH // 3) // _MULTIPLE) * _MULTIPLE
    shapes: _Shapes = {"tok_embeddings.weight": (tokens, _WIDTH), "norm.weight": (_WIDTH,)}
    shapes["output.weight"] = (tokens, _WIDTH)
    for layer in range(_LAYERS):
        block = f"layers.{layer}"
        shapes |= {f"{block}.{name}_norm.weight": (_WIDTH,) for name in ("attention", "ffn")}
        shapes |= {f"{block}.attention.w{name}.weight": (_WIDTH, _WIDTH) for name in "qkvo"}
        shapes |= {f"{block}.feed_forward.w{number}.weight": (hidden, _WIDTH) for number in (1, 3)}
        shapes[f"{block}.feed_forward.w2.weight"] = (_WIDTH, hidden)
    return shapes, "tok_embeddings.weight", "output.weight"


def _falcon(tokens: int) -> tuple[_Shapes, str, str]:
    shapes: _Shapes = {"transformer.word_embeddings.weight": (tokens, _WIDTH), "lm_head.weight": (tokens, _WIDTH)}
    shapes |= _norm("transformer.ln_f")
    for layer in range(_LAYERS):
        block = f"transformer.h.{layer}"
        shapes |= _norm(f"{block}.input_layernorm")
        shapes[f"{block}.self_attention.query_key_value.weight"] = ((_HEADS + 2) * _HEAD, _WIDTH)
        shapes[f"{block}.self_attention.dense.weight"] = (_WIDTH, _WIDTH)
        shapes[f"{block}.mlp.dense_h_to_4h.weight"] = (4 * _WIDTH, _WIDTH)
        shapes[f"{block}.mlp.dense_4h_to_h.weight"] = (_WIDTH, 4 * _WIDTH)
    return shapes, "transformer.word_embeddings.weight", "lm_head.weight"


_SHAPES: Final = {
    "gpt2": _gpt2,
    "starcoder": _gpt2,
    "gptj": _gptj,
    "gptneox": _neox,
    "dollyv2": _neox,
    "mpt": _mpt,
    "llama": _llama,
    "falcon": _falcon,
}
"""By family: the tensors' shapes, rows first; the names of the one that reads tokens and the one that writes them."""


def _random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Weights that keep the size of what goes through them; norms and biases that change nothing."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        if len(shape) == 2:
            value = random.normal(0.0, 1.5 / np.sqrt(shape[1]), shape)
        else:
            value = np.full(shape, 0.0 if name.endswith(("bias", "/b")) else 1.0)
        weights[name] = value.astype(np.float32)
    return weights
