"""From decoded JSON to the fields of a request, by the rules and in the words of Go's decoder (contract 1.2).

Unlike `msgspec.convert`: keys match whatever their case, null means "not set", a whole number written with a fraction
is no integer, and errors name Go's struct, field and type.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from types import NoneType, UnionType
from typing import NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from camelid.errors import RequestError
from camelid.types.json import JsonValue

__all__ = ("read_struct",)

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

_Reader = Callable[[JsonValue, str], object]
"""Turns a JSON value into a field's type; the text says where it stands, for the error."""

_INTEGERS = range(-(2**63), 2**63)
_GO_SCALARS: dict[object, str] = {bool: "bool", float: "float64", int: "int", str: "string", object: "interface {}"}


def read_struct(value: JsonValue, kind: type[_Struct], name: str) -> _Struct:
    """A request's top-level value as `kind`, whose fields all have defaults.

    Fields may be bool, int, float, str, `object` (anything), lists, tuples, string-keyed dicts and Structs of these,
    a choice of them, each with or without None.

    Args:
        value: null is an empty object.
        kind: what to build.
        name: the Go struct's name, for errors.

    Raises:
        RequestError: something has the wrong type.
    """
    if value is None:
        return kind()
    if not isinstance(value, dict):
        raise RequestError(f"json: cannot unmarshal {_json_type(value)} into Go value of type api.{name}")
    return _read_fields(value, kind, name)


def _read_fields(value: dict[str, JsonValue], kind: type[_Struct], where: str) -> _Struct:
    fields = _fields(kind)
    given: dict[str, object] = {}
    for key, item in value.items():
        field = fields.get(key) or fields.get(key.lower())
        if field is not None and item is not None:
            given[field.attribute] = field.read(item, f"{where}.{field.key}")
    return kind(**given)


class _Field(NamedTuple):
    key: str
    attribute: str
    read: _Reader


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    """The fields of a Struct, by their keys in lower case."""
    return {
        field.encode_name.lower(): _Field(field.encode_name, field.name, _reader(_without_none(field.type)))
        for field in msgspec.structs.fields(kind)
    }


def _without_none(kind: object) -> object:
    if get_origin(kind) not in (Union, UnionType):
        return kind
    inner, *others = (argument for argument in get_args(kind) if argument is not NoneType)
    return (inner, *others) if others else inner


def _json_type(value: JsonValue) -> str:
    """How Go's decoder calls a value that it cannot use."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _go_type(kind: object) -> str:
    """The Go type that would hold a field."""
    if isinstance(kind, tuple):
        return _go_type(kind[-1])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (list, tuple):
        return f"[]{_go_type(arguments[0])}"
    if origin is dict:
        return f"map[{_go_type(arguments[0])}]{_go_type(arguments[1])}"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "api." + kind.__name__.removesuffix("Body")
    return _GO_SCALARS[kind]


def _mismatch(value: JsonValue, where: str, kind: object) -> RequestError:
    found = _json_type(value)
    if kind is int and found == "number":
        found = f"number {value}"
    return RequestError(f"json: cannot unmarshal {found} into Go struct field {where} of type {_go_type(kind)}")


def _reader(kind: object) -> _Reader:
    """How to read a value of one of the types that bodies are made of."""
    if isinstance(kind, tuple):
        return _choice_reader(kind)
    origin = get_origin(kind)
    if origin in (list, tuple):
        return _sequence_reader(kind)
    if origin is dict:
        return _mapping_reader(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_reader(kind)
    return _scalar_reader(kind)


def _scalar_reader(kind: object) -> _Reader:
    def read(value: JsonValue, where: str) -> object:
        if kind is object or (kind in (str, bool) and type(value) is kind):
            return value
        if kind is int and type(value) is int and value in _INTEGERS:
            return value
        if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            with suppress(OverflowError):  # an integer beyond all floats
                return float(value)
        raise _mismatch(value, where, kind)

    return read


def _choice_reader(kinds: tuple[object, ...]) -> _Reader:
    """The first that fits; Go tells of the last."""
    *others, last = map(_reader, kinds)

    def read(value: JsonValue, where: str) -> object:
        for reader in others:
            with suppress(RequestError):
                return reader(value, where)
        return last(value, where)

    return read


def _struct_reader(kind: type[msgspec.Struct]) -> _Reader:
    def read(value: JsonValue, where: str) -> object:
        if not isinstance(value, dict):
            raise _mismatch(value, where, kind)
        return _read_fields(value, kind, where)

    return read


def _sequence_reader(kind: object) -> _Reader:
    element = get_args(kind)[0]
    read_element = _reader(element)

    def read(value: JsonValue, where: str) -> object:
        if not isinstance(value, list):
            raise _mismatch(value, where, kind)
        items = [_zero(element) if item is None else read_element(item, where) for item in value]
        return tuple(items) if get_origin(kind) is tuple else items

    return read


def _mapping_reader(kind: object) -> _Reader:
    element = get_args(kind)[1]
    read_element = _reader(element)

    def read(value: JsonValue, where: str) -> object:
        if not isinstance(value, dict):
            raise _mismatch(value, where, kind)
        return {key: _zero(element) if item is None else read_element(item, where) for key, item in value.items()}

    return read


def _zero(kind: object) -> object:
    """What null is in a list or map: Go's zero value."""
    return kind() if isinstance(kind, type) and kind is not object else None
