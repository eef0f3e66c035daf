"""Which kind of layer an uploaded file becomes (contract 15.1, 15.2)."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from camelid.errors import InvalidModelFileError, RequestError
from camelid.store import media_types
from camelid.store.formats import GGUF, sniff_format
from camelid.store.gguf import GGUFHeader, read_header

__all__ = ("ModelFileKind", "format_of", "inspect_file", "media_type_of")


class ModelFileKind(msgspec.Struct, frozen=True):
    """What was found in a file."""

    format: str
    """`gguf`, what the file's ending stands for, or what a description names."""
    media_type: str
    header: GGUFHeader | None = None
    """Of GGUF files."""


def inspect_file(
    name: str, path: Path, endings: Mapping[str, str], remembered: Callable[[], str] = str
) -> ModelFileKind:
    """Find out what a file is.

    Args:
        name: what the client calls it; its ending counts.
        path: where it lies.
        endings: those that backends know, and the format that each stands for.
        remembered: the format that the file was used with before, empty for none; asked if nothing else tells.

    Raises:
        RequestError: it is nothing that can be used as it is.
    """
    found = format_of(name, path, endings) or remembered()
    if not found:
        raise RequestError(
            f"unknown type: {name} is no GGUF file, and no installed backend knows files that end so",
            reason="it is no model description either; `camelid plugins` shows what is installed, and what is broken",
        )
    if found != GGUF:
        return ModelFileKind(found, media_types.MODEL)
    if sniff_format(path) != GGUF:
        raise RequestError("supplied file was not in GGUF format")
    try:
        header = read_header(path)
    except InvalidModelFileError as error:
        raise RequestError(f"supplied file was not in GGUF format: {error.message}", reason=error.reason) from error
    return ModelFileKind(GGUF, media_type_of(header), header)


def format_of(name: str, path: Path, endings: Mapping[str, str]) -> str | None:
    """The format of a file, by its name or its first bytes; None if it is of no known one.

    Raises:
        InvalidModelFileError: it cannot be opened.
    """
    return GGUF if name.endswith(".gguf") else _named_format(name, endings) or sniff_format(path)


def _named_format(name: str, endings: Mapping[str, str]) -> str | None:
    """The format of the longest ending that the name has."""
    found = max((ending for ending in endings if name.lower().endswith(ending)), key=len, default="")
    return endings.get(found)


def media_type_of(header: GGUFHeader) -> str:
    """What a GGUF file is to a model (contract 15.2)."""
    kind = header.text("general.type")
    if kind == "adapter":
        return media_types.ADAPTER
    only_sees = header.fact("block_count") is None and header.fact("vision.block_count") is not None
    encodes = header.architecture == "clip" and any(
        key.startswith("clip.has_") and key.endswith("_encoder") and value is True
        for key, value in header.metadata.items()
    )
    return media_types.PROJECTOR if kind in ("projector", "mmproj") or only_sees or encodes else media_types.MODEL
