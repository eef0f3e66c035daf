"""GGUF files as ctransformers can read them.

Its llama.cpp is of September 2023. It reads version 2 of the format, wants an `output.weight` even where that is the
embedding, and crashes on vocabularies that are not LLaMA's. The computation is the same as today's. So such a model is
written once more: its numbers in the old types, its tensors as they are, and in place of its vocabulary one of empty
words, since text is tokenized here anyway.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from camelid.errors import ModelLoadError
from camelid_ctransformers.gguf_file import GGUF_MAGIC, GGUFFile, Tensor

__all__ = ("Rewriting", "check_computable", "needs_rewriting", "plan_rewriting")

_ALIGNMENT: Final = 32
_CHUNK: Final = 1 << 22
_U32, _I32, _F32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_LEAST_TOKENS: Final = 3
"""The library looks at the tokens 0, 1 and 2 of a vocabulary that names no others."""

_LLAMA_BLOCK: Final = tuple(
    f"{name}.weight"
    for name in (
        *("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output"),
        *("ffn_norm", "ffn_gate", "ffn_up", "ffn_down"),
    )
)
_FALCON_BLOCK: Final = (
    *("attn_norm.weight", "attn_norm.bias", "attn_qkv.weight", "attn_output.weight"),
    *("ffn_up.weight", "ffn_down.weight"),
)
_TENSORS: Final = {
    "llama": (("token_embd.weight", "output_norm.weight"), _LLAMA_BLOCK, ()),
    "falcon": (
        ("token_embd.weight", "output_norm.weight", "output_norm.bias"),
        _FALCON_BLOCK,
        ("attn_norm_2.weight", "attn_norm_2.bias"),
    ),
}
"""By architecture: the tensors it must have, those of each layer, and those that a layer may have."""
_EPSILON: Final = {
    "llama": "attention.layer_norm_rms_epsilon",
    "falcon": "attention.layer_norm_epsilon",
}
_OUTPUT, _EMBEDDING = "output.weight", "token_embd.weight"


class Rewriting(msgspec.Struct, frozen=True):
    """A file to be written."""

    header: bytes
    pieces: tuple[tuple[int, int], ...]
    """Offset and size of each tensor in the source; each is padded to 32 bytes."""

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + sum(_padded(size) for _, size in self.pieces)

    def write(self, source: BinaryIO, target: BinaryIO) -> None:
        """Write it, a few megabytes at a time, until it is on the disk."""
        target.write(self.header)
        for offset, size in self.pieces:
            source.seek(offset)
            target.writelines(_chunks(source, size))
            target.write(bytes(-size % _ALIGNMENT))
        target.flush()
        os.fsync(target.fileno())

    def is_written(self, path: Path) -> bool:
        """Whether a file is what would be written; its weights are not looked at."""
        try:
            with path.open("rb") as file:
                return path.stat().st_size == self.size and file.read(len(self.header)) == self.header
        except OSError:
            return False


def check_computable(file: GGUFFile) -> None:
    """Refuse what the library would compute wrongly, or not at all.

    Raises:
        ModelLoadError: it says why.
        InvalidModelFileError: the file does not say what such a model needs.
    """
    family = file.architecture
    if family not in _TENSORS:
        raise _refusal(file, f"it knows no architecture {family!r} in GGUF files, only llama and falcon")
    heads, width = file.fact("attention.head_count"), file.fact("embedding_length")
    head = width // heads
    for key in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        value = file.whole(f"{family}.{key}")
        if value not in (None, head):
            raise _refusal(file, f"its {key} is {value}, and the library takes it to be {head}")
    if isinstance(file.metadata.get(f"{family}.attention.head_count_kv"), list):
        raise _refusal(file, "its layers have different numbers of heads")
    if file.whole(f"{family}.expert_count"):
        raise _refusal(file, "it is a mixture of experts")
    scaling = file.text(f"{family}.rope.scaling.type")
    if scaling not in ("", "none", "linear"):
        raise _refusal(file, f"its positions are scaled by {scaling!r}")
    always, block, sometimes = _TENSORS[family]
    layers = range(file.fact("block_count"))
    required = {*always, *(f"blk.{layer}.{name}" for layer in layers for name in block)}
    known = required | {_OUTPUT} | {f"blk.{layer}.{name}" for layer in layers for name in sometimes}
    missing, unknown = sorted(required - set(file.tensors)), sorted(set(file.tensors) - known)
    if missing:
        raise _refusal(file, f"the tensor {missing[0]!r} is missing")
    if unknown:
        raise _refusal(file, f"it has the tensor {unknown[0]!r}, which came later")


def needs_rewriting(file: GGUFFile) -> bool:
    """Whether the library would not read the file as it is."""
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    return (
        file.version > 2
        or _OUTPUT not in file.tensors
        or file.text("tokenizer.ggml.model") != "llama"
        or not {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"} <= file.metadata.keys()
        or not isinstance(tokens, list)
        or b"<0x0A>" not in tokens
    )


def plan_rewriting(file: GGUFFile, tokens: int) -> Rewriting:
    """What to write for a model that passed `check_computable` and has so many tokens.

    Raises:
        ModelLoadError: it has too few tokens.
        InvalidModelFileError: the file does not say what such a model needs.
    """
    if tokens < _LEAST_TOKENS:
        raise _refusal(file, f"it has {tokens} tokens only")
    tensors = list(file.tensors.values())
    if _OUTPUT not in file.tensors:
        embedding = file.tensors[_EMBEDDING]
        tensors.append(msgspec.structs.replace(embedding, name=_OUTPUT))
    metadata = _metadata(file, tokens)
    parts = [GGUF_MAGIC, struct.pack("<IQQ", 2, len(tensors), len(metadata)), *metadata]
    offset = 0
    for tensor in tensors:
        parts.append(_info(tensor, offset))
        offset += _padded(tensor.size)
    header = b"".join(parts)
    return Rewriting(
        header + bytes(-len(header) % _ALIGNMENT), tuple((tensor.offset, tensor.size) for tensor in tensors)
    )


def _metadata(file: GGUFFile, tokens: int) -> list[bytes]:
    family = file.architecture
    numbers = {
        key: file.fact(key)
        for key in ("context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count")
    }
    numbers["attention.head_count_kv"] = (
        file.whole(f"{family}.attention.head_count_kv") or numbers["attention.head_count"]
    )
    decimals = {
        _EPSILON[family]: file.decimal(f"{family}.{_EPSILON[family]}"),
        "rope.freq_base": file.decimal(f"{family}.rope.freq_base"),
        "rope.scale_linear": file.decimal(f"{family}.rope.scaling.factor")
        or file.decimal(f"{family}.rope.scale_linear"),
    }
    words = [_string(b"<0x0A>"), *(_string(str(token).encode()) for token in range(1, tokens))]
    return [
        _pair("general.architecture", _STRING, _string(family.encode())),
        *(_pair(f"{family}.{key}", _U32, struct.pack("<I", value)) for key, value in numbers.items()),
        *(
            _pair(f"{family}.{key}", _F32, struct.pack("<f", value))
            for key, value in decimals.items()
            if value is not None
        ),
        _pair("tokenizer.ggml.model", _STRING, _string(b"llama")),
        _pair("tokenizer.ggml.tokens", _ARRAY, struct.pack("<IQ", _STRING, tokens) + b"".join(words)),
        _pair("tokenizer.ggml.scores", _ARRAY, struct.pack("<IQ", _F32, tokens) + bytes(4 * tokens)),
        _pair("tokenizer.ggml.token_type", _ARRAY, struct.pack("<IQ", _I32, tokens) + struct.pack("<i", 1) * tokens),
    ]


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _string(key.encode()) + struct.pack("<I", kind) + value


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _info(tensor: Tensor, offset: int) -> bytes:
    shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
    return _string(tensor.name.encode()) + shape + struct.pack("<IQ", tensor.kind, offset)


def _padded(size: int) -> int:
    return size + -size % _ALIGNMENT


def _chunks(source: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        chunk = source.read(min(size, _CHUNK))
        if not chunk:
            raise EOFError("the file became shorter while it was read")
        size -= len(chunk)
        yield chunk


def _refusal(file: GGUFFile, why: str) -> ModelLoadError:
    return ModelLoadError(f"ctransformers cannot compute {file.name}: {why}; the backend llamacpp may")
