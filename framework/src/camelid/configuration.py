"""Reads the settings from where they may be written; `camelid.settings` says which there are.

Later sources win: the defaults, `camelid.toml`, `OLLAMA_*` variables, `CAMELID_*` variables, flags. The file is the one
that `CAMELID_CONFIG` names, else `$XDG_CONFIG_HOME/camelid/camelid.toml`, else `~/.config/camelid/camelid.toml`; its
keys are the settings' names. Ollama's variables are read as Ollama reads them: nonsense is a warning and changes
nothing (contract 18). Everywhere else a mistake ends the command, so that no setting is ever silently ignored.
"""

import logging
import math
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from camelid.errors import ConfigurationError, RequestError
from camelid.settings import IGNORED_VARIABLES, OLLAMA_SETTINGS, Settings
from camelid.types.addresses import parse_address
from camelid.types.durations import FOREVER, parse_duration

__all__ = ("Configuration", "configuration_file", "ignored_variables", "load_settings", "read_configuration")

_log = logging.getLogger(__name__)

_NOT_SETTINGS: Final = frozenset({"CAMELID_CONFIG", "CAMELID_TRACE_PLUGINS"})
"""Variables of ours that are no settings."""

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_LARGEST_COUNT: Final = 2**31 - 1


def load_settings(
    flags: Mapping[str, object] = MappingProxyType({}),
    *,
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
) -> Settings:
    """All settings, each from its strongest source.

    Args:
        flags: settings given on the command line, by name; None = not given. Text is read as in a variable.
        environ: the environment.
        file: read this instead of the usual `camelid.toml`; it must exist.

    Raises:
        ConfigurationError: an unknown setting or a wrong value; it says where, and what was probably meant.
    """
    configuration = read_configuration(flags, environ=environ, file=file)
    for mistake in configuration.mistakes:
        _log.warning("%s", mistake)
    return configuration.settings


class Configuration(msgspec.Struct, frozen=True):
    """The settings, and where they are from."""

    settings: Settings
    sources: dict[str, str]
    """By the name of each setting that is not at its default: a file, a variable or a flag."""
    mistakes: tuple[str, ...]
    """What was wrong in Ollama's variables, a sentence each; the default stands instead."""


def read_configuration(
    flags: Mapping[str, object] = MappingProxyType({}),
    *,
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
) -> Configuration:
    """What `load_settings` reads, with the sources.

    Raises:
        ConfigurationError: as `load_settings`.
    """
    ollama, mistakes = _from_ollama(environ)
    path = str(file or configuration_file(environ))
    layers: tuple[tuple[Callable[[str], str], dict[str, object]], ...] = (
        (lambda _: path, _from_file(environ, file)),
        (_ollama_variable, ollama),
        (_variable, _from_environment(environ)),
        (_flag, _from_flags(flags)),
    )
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, layer in layers:
        values |= layer
        sources |= {name: source(name) for name in layer}
    values["models"] = _expanded(str(values.get("models", Settings().models)))
    return Configuration(msgspec.convert(values, Settings), sources, mistakes)


def ignored_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of Ollama's that are set and change nothing, and why."""
    found: dict[str, str] = {}
    known = {_ollama_variable(name) for name in OLLAMA_SETTINGS}
    for variable, text in sorted(environ.items()):
        name = variable.upper()
        if not text.strip():
            continue
        if name in IGNORED_VARIABLES:
            found[variable] = IGNORED_VARIABLES[name]
        elif variable.startswith("OLLAMA_") and variable not in known:
            found[variable] = f"no variable of Ollama's has this name{_suggestion(variable, known)}"
    return found


def configuration_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `camelid.toml` is, whether or not it exists."""
    if named := environ.get("CAMELID_CONFIG", "").strip():
        return _expanded(named)
    home = environ.get("XDG_CONFIG_HOME", "").strip() or "~/.config"
    return _expanded(home) / "camelid" / "camelid.toml"


def _expanded(path: str) -> Path:
    """`path` with `~` and `~name` replaced.

    Raises:
        ConfigurationError: there is no such user, or the one that this process runs as has no home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"the path {path} begins with a home folder that is not there") from error


class _WrongValueError(ValueError):
    """A reader got something else than its type allows."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongValueError
    return value


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
        return float(value)
    text = _text(value)
    try:
        return float(text) if text.lstrip("+-").isdecimal() else parse_duration(text)
    except RequestError as error:
        raise _WrongValueError from error


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        raise _WrongValueError
    return value


def _count_in_text(text: str) -> int:
    return _count(int(text))


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongValueError
    return value


def _switch_in_text(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise _WrongValueError
    return text in _TRUE


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise _WrongValueError
    return tuple(map(_text, value))


def _names_in_text(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


class _Kind(msgspec.Struct, frozen=True):
    """How values of one type are written."""

    expected: str
    from_value: Callable[[object], object]
    """Reads what TOML or a flag gives."""
    from_text: Callable[[str], object]
    """Reads what a variable gives."""


_SWITCH = _Kind("true or false", _switch, _switch_in_text)
_NAMES = _Kind("a list of strings (in a variable: with commas between them)", _names, _names_in_text)
_PATH = _Kind("a path", _path, _path)
_KINDS: Final[dict[object, _Kind]] = {
    str: _Kind("a string", _text, _text),
    Path: _PATH,
    Path | None: _PATH,
    float: _Kind("seconds, or a duration such as 5m or 1h30m", _seconds, _seconds),
    int: _Kind("a whole number that is not negative", _count, _count_in_text),
    bool: _SWITCH,
    bool | None: _SWITCH,
    tuple[str, ...]: _NAMES,
    tuple[str, ...] | None: _NAMES,
}
_SETTINGS: Final = {field.name: _KINDS[field.type] for field in msgspec.structs.fields(Settings)}


def _checked_host(value: object) -> object:
    parse_address(_text(value))
    return value


_MEANINGS: Final[dict[str, Callable[[object], object]]] = {
    "host": _checked_host,
    "keep_alive": lambda seconds: FOREVER if isinstance(seconds, float) and seconds < 0 else seconds,
    "load_timeout": lambda seconds: FOREVER if isinstance(seconds, float) and seconds <= 0 else seconds,
    "context_length": lambda tokens: tokens or Settings().context_length,
}
"""What single settings make of a value that has the right type."""


def _value(name: str, value: object, source: str, *, typed: bool = False) -> object:
    """`value` as the setting `name` wants it.

    Args:
        name: of the setting.
        value: as it was written.
        source: where it was written, for the error's sentence.
        typed: it comes from a format that has types, so that text is never a number.

    Raises:
        ConfigurationError: it cannot be read.
    """
    kind = _SETTINGS[name]
    try:
        read = kind.from_text(value) if isinstance(value, str) and not typed else kind.from_value(value)
        return _MEANINGS[name](read) if name in _MEANINGS else read
    except ValueError as error:
        raise ConfigurationError(f"{source} must be {kind.expected}, not {value!r}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from error


def _from_file(environ: Mapping[str, str], file: Path | None) -> dict[str, object]:
    must_exist = file is not None or bool(environ.get("CAMELID_CONFIG", "").strip())
    path = file or configuration_file(environ)
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if must_exist:
            raise ConfigurationError(f"there is no configuration file {path}") from error
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the configuration file {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in _SETTINGS:
            raise ConfigurationError(f"{path} has the unknown setting {name!r}{_suggestion(name, _SETTINGS)}")
        values[name] = _value(name, value, f"{name} in {path}", typed=True)
    return values


def _from_ollama(environ: Mapping[str, str]) -> tuple[dict[str, object], tuple[str, ...]]:
    """What Ollama's variables say, and what is wrong in them."""
    values: dict[str, object] = {}
    mistakes: list[str] = []
    for name in sorted(OLLAMA_SETTINGS):
        variable = _ollama_variable(name)
        text = environ.get(variable, "").strip().strip("\"'").strip()
        if not text:
            continue
        if _SETTINGS[name] is _SWITCH and text not in _TRUE | _FALSE:
            text = "true"
        try:
            values[name] = _value(name, text, variable)
        except ConfigurationError as error:
            without_port = text.rpartition(":")[0] if name == "host" and "://" not in text else ""
            if without_port:
                values[name] = without_port
            mistakes.append(f"{error.message}; the default {'port ' if without_port else ''}is used")
    return values, tuple(mistakes)


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    names = {_variable(name): name for name in _SETTINGS}
    values: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith("CAMELID_") or variable in _NOT_SETTINGS:
            continue
        if variable not in names:
            suggestion = _suggestion(variable, (*names, *_NOT_SETTINGS))
            raise ConfigurationError(f"the variable {variable} is no setting of Camelid{suggestion}")
        if text.strip():
            values[names[variable]] = _value(names[variable], text.strip(), variable)
    return values


def _from_flags(flags: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, value in flags.items():
        if name not in _SETTINGS:
            raise ConfigurationError(f"the flag {_flag(name)} is no setting{_suggestion(name, _SETTINGS)}")
        if value is not None:
            values[name] = _value(name, value, _flag(name))
    return values


def _ollama_variable(name: str) -> str:
    return f"OLLAMA_{name.upper()}"


def _variable(name: str) -> str:
    return f"CAMELID_{name.upper()}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
