"""A model's config blob: what is known of it without opening its weights (contract 13.3)."""

from collections.abc import Mapping

import msgspec

from camelid.errors import CorruptManifestError
from camelid.store.gguf import GGUFHeader
from camelid.store.summary import HeaderSummary
from camelid.store.wording import parameter_size
from camelid.types.json import JsonObject, JsonValue

__all__ = ("ModelConfig", "complete_config", "decode_config", "encode_config", "read_config")


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields that Camelid reads; a config may have others."""

    model_format: str = ""
    """`gguf`, `safetensors`, `onnx`…"""
    model_family: str = ""
    """The architecture's name."""
    model_families: tuple[str, ...] = ()
    model_type: str = ""
    """Parameters in words: `7.6B`, `137M`."""
    file_type: str = ""
    """Quantisation: `Q4_K_M`."""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    """Least version of Ollama."""
    remote_host: str = ""
    remote_model: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    """Tokens."""
    embedding_length: int = 0
    base_name: str = ""


def decode_config(content: bytes) -> tuple[ModelConfig, JsonObject]:
    """Read a config blob: the known fields, and all of them as they are.

    Raises:
        CorruptManifestError: it is no config.
    """
    try:
        raw = msgspec.json.decode(content, type=dict[str, object])
        return read_config(raw), raw
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptManifestError("the model's config is corrupt", reason=str(error)) from error


def read_config(raw: Mapping[str, JsonValue]) -> ModelConfig:
    """The known fields of a config. Null means not set, as Go reads it.

    Raises:
        msgspec.ValidationError: a known field has the wrong type.
    """
    return msgspec.convert({key: value for key, value in raw.items() if value is not None}, ModelConfig)


def encode_config(raw: Mapping[str, JsonValue]) -> bytes:
    """The bytes to store: JSON and a newline, with the platform that Ollama's readers expect."""
    return msgspec.json.encode({**raw, "architecture": "amd64", "os": "linux"}) + b"\n"


def complete_config(config: ModelConfig, header: GGUFHeader | HeaderSummary) -> ModelConfig:
    """Fill what `config` leaves open with what the model's file says."""
    family = config.model_family or header.architecture
    return msgspec.structs.replace(
        config,
        model_family=family,
        model_families=config.model_families or (family,),
        model_type=config.model_type or parameter_size(header.parameter_count),
        file_type=config.file_type or header.file_type,
        context_length=config.context_length or header.context_length,
        embedding_length=config.embedding_length or header.embedding_length,
    )
