"""What the files of an ONNX folder say of the model, without any inference library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec

from camelid.errors import InvalidModelFileError
from camelid.store import media_types
from camelid.store.config import ModelConfig
from camelid.store.tokenizer_config import read_json
from camelid.types.capabilities import Capability

__all__ = ("GENAI_CONFIG", "OnnxFacts", "has_onnx", "layer_type", "main_first", "read_onnx_facts")

GENAI_CONFIG: Final = "genai_config.json"
"""Describes a model to ONNX Runtime GenAI; encoders do without it."""

_CACHE_ELEMENT_BYTES: Final = 4
"""Of the KV cache on a CPU, which knows single precision only."""


class OnnxFacts(msgspec.Struct, frozen=True):
    """What a folder's configuration says; 0 and empty = nothing."""

    family: str
    context_length: int
    """Tokens."""
    embedding_length: int
    cache_bytes_per_token: int = 0
    capability: Capability = Capability.COMPLETION

    def complete(self, config: ModelConfig) -> ModelConfig:
        """A config with what the folder says in it."""
        return msgspec.structs.replace(
            config,
            model_family=self.family,
            model_families=(self.family,),
            context_length=self.context_length,
            embedding_length=self.embedding_length,
            capabilities=(self.capability,),
        )


_Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]
_Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 24)]
"""Far more than any model has, and few enough to be counted with."""


class _Decoder(msgspec.Struct):
    filename: str = "model.onnx"
    hidden_size: _Size = 0
    head_size: _Size = 0
    num_hidden_layers: _Size = 0
    num_key_value_heads: _Size = 0


class _Generating(msgspec.Struct):
    type: str
    context_length: _Tokens
    decoder: _Decoder


class _GenaiConfig(msgspec.Struct):
    model: _Generating


class _EncoderConfig(msgspec.Struct):
    model_type: str = "bert"
    hidden_size: _Size = 0
    max_position_embeddings: _Tokens = 0


def has_onnx(names: Mapping[str, object]) -> bool:
    """Whether files of these names are an ONNX model: there is one, and no weights of another format besides."""
    others = any(name.endswith((".safetensors", ".gguf")) for name in names)
    return any(name.endswith(".onnx") for name in names) and (GENAI_CONFIG in names or not others)


def layer_type(name: str) -> str:
    """The media type of the layer that a file becomes."""
    return media_types.MODEL if ".onnx" in Path(name).name else media_types.JSON


def main_first(name: str) -> tuple[bool, bool, str]:
    """Sorts files: the ONNX file itself before its data and its companions."""
    return not name.endswith(".onnx"), layer_type(name) != media_types.MODEL, name


def read_onnx_facts(files: Mapping[str, Path]) -> OnnxFacts:
    """Read the configuration of a model.

    Args:
        files: all of the model, by name.

    Raises:
        InvalidModelFileError: a file is missing, or not what it should be; the sentence names it.
    """
    if "tokenizer.json" not in {Path(name).name for name in files}:
        raise InvalidModelFileError("tokenizer.json is missing: an ONNX model is a folder with its tokenizer")
    if GENAI_CONFIG not in files:
        encoder = _EncoderConfig()
        if "config.json" in files:
            encoder = read_json(files, "config.json", _EncoderConfig)
        return OnnxFacts(
            family=encoder.model_type,
            context_length=encoder.max_position_embeddings,
            embedding_length=encoder.hidden_size,
            capability=Capability.EMBEDDING,
        )
    model = read_json(files, GENAI_CONFIG, _GenaiConfig).model
    decoder = model.decoder
    if decoder.filename not in files:
        raise InvalidModelFileError(f"{GENAI_CONFIG} names {decoder.filename[:200]!r}, which is not in the folder")
    elements = 2 * decoder.num_hidden_layers * decoder.num_key_value_heads * decoder.head_size
    return OnnxFacts(
        family=model.type,
        context_length=model.context_length,
        embedding_length=decoder.hidden_size,
        cache_bytes_per_token=elements * _CACHE_ELEMENT_BYTES,
    )
