"""Ollama's `options` object (contract 3.1): what may be asked, of which type, with which default."""

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from camelid.errors import InvalidOptionError
from camelid.types.json import JsonObject, JsonValue

__all__ = ("BackendOrigin", "Options", "SamplingOptions", "parse_options")


class SamplingOptions(msgspec.Struct, frozen=True):
    """How the next token is chosen, and when to stop. These never cause a reload."""

    seed: int = -1
    """-1 = a random one."""
    temperature: float = 0.8
    """0 = greedy."""
    top_k: int = 40
    """0 = off."""
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    """Tokens that penalties look back on; 0 = off, -1 = the context length."""
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    num_predict: int = -1
    """Most tokens to generate; negative = until the model stops."""
    num_keep: int = 4
    """Prompt tokens that survive a context shift."""
    stop: tuple[str, ...] = ()
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Token ids, and what is added to their logits before anything else; the framework sees to it."""


class BackendOrigin(StrEnum):
    """Who named the backend that `Options.backend` is."""

    REQUEST = "request"
    MODEL = "model"


class Options(msgspec.Struct, frozen=True):
    """All options of one request, defaults and model parameters merged in. None = nobody asked."""

    sampling: SamplingOptions = SamplingOptions()
    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int | None = None
    draft_num_predict: int | None = None
    backend: str | None = None
    """Which backend should serve the model."""
    backend_origin: BackendOrigin = BackendOrigin.REQUEST
    """Who said so."""
    backend_options: JsonObject = {}
    """Options that only the chosen backend understands."""
    tokenizer: str | None = None
    """A plugin that tokenizes for others, to be used instead of the backend's own tokenizer."""


_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
"""Integers beyond these, which Go's have room for, become these."""
_MOST_BIAS: Final = 100
_TOKEN: Final = re.compile("[0-9]{1,9}")

_SAMPLING_TYPES: dict[str, type] = {
    "seed": int,
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "typical_p": float,
    "repeat_last_n": int,
    "repeat_penalty": float,
    "presence_penalty": float,
    "frequency_penalty": float,
    "num_predict": int,
    "num_keep": int,
    "stop": tuple,
}
_LOAD_TYPES: dict[str, type] = {
    "num_ctx": int,
    "num_batch": int,
    "num_gpu": int,
    "main_gpu": int,
    "use_mmap": bool,
    "num_thread": int,
    "draft_num_predict": int,
    "backend": str,
    "tokenizer": str,
    "backend_options": dict,
}
_TYPE_WORDS = {
    int: "integer",
    float: "float32",
    bool: "boolean",
    str: "string",
    tuple: "array",
    dict: "object",
}


def _convert(name: str, value: JsonValue, kind: type) -> object:
    """`value` as `kind`, by Ollama's rules: fractions are cut, strings are never numbers.

    Raises:
        InvalidOptionError: with Ollama's words.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int and number and isinstance(value, (int, float)):
        if -sys.float_info.max <= value <= sys.float_info.max:
            return int(max(_LEAST, min(value, _MOST)))
    elif kind is float and number and isinstance(value, (int, float)):
        if -sys.float_info.max <= value <= sys.float_info.max:
            return float(value)
    elif kind is tuple and isinstance(value, (list, tuple)):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        raise InvalidOptionError(f'option "{name}" must be of an array of strings')
    elif kind in (bool, str, dict) and isinstance(value, kind):
        return value
    raise InvalidOptionError(f'option "{name}" must be of type {_TYPE_WORDS[kind]}')


def _biases(value: JsonValue) -> tuple[tuple[int, float], ...]:
    """`logit_bias` as OpenAI writes it: numbers by token ids, which are keys and therefore texts.

    Raises:
        InvalidOptionError: it is something else.
    """
    if isinstance(value, dict) and all(_TOKEN.fullmatch(key) for key in value):
        numbers = [item for item in value.values() if isinstance(item, (int, float)) and not isinstance(item, bool)]
        if len(numbers) == len(value) and all(abs(number) <= _MOST_BIAS for number in numbers):
            return tuple((int(key), float(number)) for key, number in zip(value, numbers, strict=True))
    raise InvalidOptionError(
        f'option "logit_bias" must be an object of token ids and numbers from -{_MOST_BIAS} to {_MOST_BIAS}'
    )


def parse_options(*layers: Mapping[str, JsonValue]) -> Options:
    """Merge layers of raw options, the later ones winning; nulls and unknown keys are skipped.

    Pass the model's PARAMETERs first and the request's `options` last. A `stop` list replaces, it does not append.

    Raises:
        InvalidOptionError: a known option has the wrong type.
    """
    sampling: dict[str, object] = {}
    loading: dict[str, object] = {}
    for layer in layers:
        for name, value in layer.items():
            if value is None:
                continue
            if name == "logit_bias":
                sampling[name] = _biases(value)
            elif name in _SAMPLING_TYPES:
                sampling[name] = _convert(name, value, _SAMPLING_TYPES[name])
            elif name in _LOAD_TYPES:
                loading[name] = _convert(name, value, _LOAD_TYPES[name])
    asked, own = layers[-1].get("backend"), [layer["backend"] for layer in layers[:-1] if layer.get("backend")]
    if "backend" in loading and asked is None:
        loading["backend_origin"] = BackendOrigin.MODEL
    if own and asked not in (None, own[-1]) and layers[-1].get("backend_options") is None:
        loading.pop("backend_options", None)  # they are for the backend that the model names
    return msgspec.convert({**loading, "sampling": sampling}, Options)
