"""The `info` of a create request: words and numbers for the config that its author knows better (contract 7.7)."""

from collections.abc import Mapping
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.store.config import ModelConfig
from camelid.types.json import JsonValue

__all__ = ("override_config",)

_TEXTS: Final = {
    "base_name": "base_name",
    "model_family": "model_family",
    "parameter_size": "model_type",
    "quantization_level": "file_type",
}
_NUMBERS: Final = ("context_length", "embedding_length")


def override_config(config: ModelConfig, info: Mapping[str, JsonValue]) -> ModelConfig:
    """`config` with what `info` says in place of what was found; its capabilities are added.

    Raises:
        RequestError: a field has the wrong type; with Ollama's words.
    """
    changes: dict[str, JsonValue] = {}
    for name, field in _TEXTS.items():
        text = info.get(name)
        if text is None:
            continue
        if not isinstance(text, str):
            raise RequestError(f'info field "{name}" must be a string')
        changes[field] = text
    for name in _NUMBERS:
        number = info.get(name)
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise RequestError(f'info field "{name}" must be a number')
        if not 0 <= number < 1 << 63 or number % 1:
            raise RequestError(f'info field "{name}" must be a non-negative integer')
        changes[name] = int(number)
    words = info.get("capabilities")
    if words is not None:
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise RequestError('info field "capabilities" must be a list of strings')
        changes["capabilities"] = tuple(dict.fromkeys((*config.capabilities, *words)))
    if changes.get("model_family"):
        changes["model_families"] = (changes["model_family"],)
    return msgspec.structs.replace(config, **changes)
