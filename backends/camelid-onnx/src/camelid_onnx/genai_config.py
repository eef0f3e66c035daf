"""`genai_config.json`: what ONNX Runtime GenAI is told of a model."""

from typing import Annotated, TypeAlias

import msgspec

from camelid.types.json import JsonObject, JsonValue
from camelid_onnx.folder import GENAI_CONFIG, ModelFolder

__all__ = ("GenaiConfig", "read_genai_config")


_Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]
_Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 24)]
"""Far more than any model has, and few enough to be counted with."""


class _SessionOptions(msgspec.Struct, frozen=True):
    provider_options: list[JsonObject] | None = None


class _Decoder(msgspec.Struct, frozen=True):
    filename: str = ""
    session_options: _SessionOptions = _SessionOptions()
    head_size: _Size = 0
    hidden_size: _Size = 0
    num_hidden_layers: _Size = 0
    num_key_value_heads: _Size = 0


class _Model(msgspec.Struct, frozen=True):
    type: str
    vocab_size: _Tokens
    context_length: _Tokens
    decoder: _Decoder
    eos_token_id: int | list[int] | None = None
    bos_token_id: int | None = None


class _Paging(msgspec.Struct, frozen=True):
    block_size: int = 0
    num_blocks: int | None = None


class _Engine(msgspec.Struct, frozen=True):
    dynamic_batching: _Paging | None = None


class GenaiConfig(msgspec.Struct, frozen=True):
    """The fields that the backend reads."""

    model: _Model
    engine: _Engine = _Engine()

    @property
    def paged(self) -> bool:
        """Whether only the runtime's dynamic `Engine` can compute the model."""
        return self.engine.dynamic_batching is not None

    @property
    def end_tokens(self) -> frozenset[int]:
        """The ids that end an answer."""
        ids = self.model.eos_token_id
        return frozenset(ids if isinstance(ids, list) else () if ids is None else (ids,))

    @property
    def providers(self) -> tuple[str, ...]:
        """What the model was made for, in the order it shall be tried; empty if any will do."""
        options = self.model.decoder.session_options.provider_options or ()
        return tuple(name for option in options for name in option)

    @property
    def cache_bytes_per_token(self) -> int:
        """Of a KV cache in single precision; 0 if the config does not say."""
        decoder = self.model.decoder
        return 2 * decoder.num_hidden_layers * decoder.num_key_value_heads * decoder.head_size * 4


def read_genai_config(folder: ModelFolder) -> GenaiConfig:
    """Read the config of a folder, after looking for what no model may ask for.

    Raises:
        InvalidModelFileError: it is missing, not what it should be, or leads out of the folder.
    """
    raw: JsonValue = folder.json(GENAI_CONFIG, dict[str, object])
    folder.check_settings(GENAI_CONFIG, raw)
    return folder.json(GENAI_CONFIG, GenaiConfig)
