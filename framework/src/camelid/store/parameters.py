"""Model parameters as text: in a Modelfile, and in what `show` prints (contract 7.3, 11.3)."""

import math
import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Final, get_args

import msgspec

from camelid.errors import RequestError
from camelid.types.json import JsonObject, JsonValue
from camelid.types.options import Options, SamplingOptions

__all__ = (
    "DEPRECATED",
    "PARAMETERS",
    "go_quoted",
    "parameter_lines",
    "parameter_text",
    "parse_parameter",
    "show_parameters",
)

DEPRECATED: Final = frozenset(
    {
        "f16_kv",
        "logits_all",
        "low_vram",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "penalize_newline",
        "use_mlock",
        "vocab_only",
    }
)
"""Parameters that old Modelfiles set and that no longer mean anything."""

_SHOW_COLUMNS = 30
_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_GO_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    '"': r"\"",
    "\\": r"\\",
}


def _kinds() -> Iterator[tuple[str, type]]:
    """The scalar options of contract 3.1 and their types; `stop` counts as text, which accumulates."""
    for field in (*msgspec.structs.fields(SamplingOptions), *msgspec.structs.fields(Options)):
        kind = get_args(field.type)[0] if isinstance(field.type, UnionType) else field.type
        if field.name == "stop":
            yield field.name, tuple
        elif kind in (int, float, bool, str):
            yield field.name, kind
        elif field.name == "backend_options":
            yield field.name, dict


_KINDS: Final = dict(_kinds())


_KIND_NAMES: Final = {int: "int", float: "float", bool: "true|false", tuple: "string...", dict: "object"}
PARAMETERS: Final = {name: _KIND_NAMES.get(kind, "string") for name, kind in sorted(_KINDS.items())}
"""Every parameter, and how people are told what it takes."""


def parse_parameter(parameters: JsonObject, name: str, text: str) -> None:
    """Set a parameter from its text; `stop` accumulates, of others the last one wins.

    Args:
        parameters: where to set it.
        name: one of contract 3.1.
        text: as it stands in a Modelfile, without quotes.

    Raises:
        RequestError: with Ollama's words for what is wrong.
    """
    kind = _KINDS.get(name)
    if kind is None:
        raise RequestError(f"unknown parameter '{name}'")
    if kind is tuple:
        stops = parameters.setdefault(name, [])
        if isinstance(stops, list):
            stops.append(text)
    elif kind is int:
        if not _INT.fullmatch(text) or len(text) > 20 or not -(2**63) <= int(text) < 2**63:
            raise RequestError(f"invalid int value [{text}]")
        parameters[name] = int(text)
    elif kind is float:
        if not _FLOAT.fullmatch(text) or not math.isfinite(float(text)):
            raise RequestError(f"invalid float value [{text}]")
        parameters[name] = float(text)
    elif kind is bool:
        if text not in _TRUE | _FALSE:
            raise RequestError(f"invalid bool value [{text}]")
        parameters[name] = text in _TRUE
    elif kind is dict:
        parameters[name] = _parse_object(text)
    else:
        parameters[name] = text


def _parse_object(text: str) -> JsonObject:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RequestError(f"invalid object value [{text}]", reason=str(error)) from error


def parameter_lines(parameters: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Name and value, one pair for each element of a list, sorted by name."""
    for name in sorted(parameters):
        value = parameters[name]
        for element in value if isinstance(value, list) else [value]:
            yield name, element


def parameter_text(value: JsonValue) -> str:
    """A scalar as people write it: `true`, `0.7`, `1`, or the string itself."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return msgspec.json.encode(value).decode()


def show_parameters(parameters: Mapping[str, JsonValue]) -> str:
    """One line a value: the name in 30 columns, a space, the value with strings quoted (contract 7.3)."""
    return "\n".join(
        f"{name:<{_SHOW_COLUMNS}} {go_quoted(value) if isinstance(value, str) else parameter_text(value)}"
        for name, value in parameter_lines(parameters)
    )


def go_quoted(text: str) -> str:
    """A string literal of Go."""
    return '"' + "".join(map(_go_escaped, text)) + '"'


def _go_escaped(letter: str) -> str:
    if letter in _GO_ESCAPES:
        return _GO_ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
