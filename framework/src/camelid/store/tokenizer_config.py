"""What stands beside the weights of a model of several files about prompting it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from camelid.errors import InvalidModelFileError
from camelid.types.artifact import ModelArtifact

__all__ = ("Prompting", "read_json", "read_prompting", "small_files")

_SMALL: Final = 16 << 20
_T = TypeVar("_T")


class Prompting(msgspec.Struct, frozen=True):
    """How a model wants to be prompted."""

    chat_template: str = ""
    """Jinja; empty if there is none."""
    begin_token: str = ""
    """Text of the begin token; empty if there is none."""
    end_token: str = ""


class _Token(msgspec.Struct):
    content: str = ""


class _Template(msgspec.Struct):
    name: str
    template: str


class _TokenizerConfig(msgspec.Struct):
    chat_template: str | list[_Template] | None = None
    bos_token: str | _Token | None = None
    eos_token: str | _Token | None = None


def small_files(artifact: ModelArtifact) -> dict[str, Path]:
    """The files of a model that have names, by name."""
    return {file.name: Path(file.path) for file in artifact.files if file.name}


def read_prompting(files: Mapping[str, Path]) -> Prompting:
    """Read `tokenizer_config.json`, and `chat_template.jinja`, whose template wins; either may be missing.

    Args:
        files: of the model, by name.

    Raises:
        InvalidModelFileError: one of them is not what it should be.
    """
    config = _TokenizerConfig()
    if "tokenizer_config.json" in files:
        config = read_json(files, "tokenizer_config.json", _TokenizerConfig)
    template = _chosen(config.chat_template)
    if "chat_template.jinja" in files:
        template = _content(files, "chat_template.jinja").decode("utf-8", "replace")
    return Prompting(template, _text(config.bos_token), _text(config.eos_token))


def read_json(files: Mapping[str, Path], name: str, kind: type[_T]) -> _T:
    """A JSON file of a model.

    Raises:
        InvalidModelFileError: it is missing, or not what it should be; the sentence names it.
    """
    try:
        return msgspec.json.decode(_content(files, name), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidModelFileError(f"{name} cannot be read: {error}") from error


def _content(files: Mapping[str, Path], name: str) -> bytes:
    path = files.get(name)
    if path is None:
        raise InvalidModelFileError(f"{name} is missing")
    try:
        with path.open("rb") as file:
            content = file.read(_SMALL + 1)
    except OSError as error:
        raise InvalidModelFileError(f"{name} cannot be read: {error.strerror}", reason=str(error)) from error
    if len(content) > _SMALL:
        raise InvalidModelFileError(f"{name} has more than {_SMALL >> 20} MiB")
    return content


def _chosen(templates: str | list[_Template] | None) -> str:
    if isinstance(templates, str):
        return templates
    named = {each.name: each.template for each in templates or ()}
    return named.get("default", next(iter(named.values()), ""))


def _text(token: str | _Token | None) -> str:
    return token.content if isinstance(token, _Token) else token or ""
