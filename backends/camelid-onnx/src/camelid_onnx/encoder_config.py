"""What the files of an encoder's folder say of it."""

from collections.abc import Iterable

import msgspec

from camelid_onnx.folder import ModelFolder

__all__ = ("EncoderConfig", "read_encoder_config")

_DEFAULT_TOKENS = 512
"""Of nearly all encoders; asked for only where no file says."""


class EncoderConfig(msgspec.Struct, frozen=True):
    """The fields of `config.json` that the backend reads."""

    model_type: str = "bert"
    hidden_size: int = 0
    num_hidden_layers: int = 0
    max_position_embeddings: int = 0
    vocab_size: int = 0
    max_tokens: int = 0
    """The shortest of what the files say one input may have."""


class _Lengths(msgspec.Struct):
    max_seq_length: float | None = None
    model_max_length: float | None = None


def read_encoder_config(folder: ModelFolder) -> EncoderConfig:
    """Read what there is; a folder need not have any of these files.

    Raises:
        InvalidModelFileError: a file is not what it should be.
    """
    config = folder.json("config.json", EncoderConfig) if "config.json" in folder else EncoderConfig()
    stated: list[float | None] = [config.max_position_embeddings]
    for name in ("sentence_bert_config.json", "tokenizer_config.json"):
        if name in folder:
            lengths = folder.json(name, _Lengths)
            stated += [lengths.max_seq_length, lengths.model_max_length]
    return msgspec.structs.replace(config, max_tokens=_shortest(stated))


def _shortest(stated: Iterable[float | None]) -> int:
    """Hugging Face writes 1e30 for a length that nobody knows."""
    return min((int(length) for length in stated if length and 1 <= length < 1e9), default=_DEFAULT_TOKENS)
