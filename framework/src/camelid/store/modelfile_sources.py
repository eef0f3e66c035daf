"""What the FROM, ADAPTER and DRAFT lines of a Modelfile stand for, wherever its files lie (contract 11.3)."""

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

import msgspec

from camelid.errors import RequestError
from camelid.store.modelfile import Modelfile
from camelid.types.file_addresses import FILE

__all__ = ("FILE_SCHEME", "ModelfileSources", "find_sources", "names_file")

FILE_SCHEME: Final = f"{FILE}://"
"""Begins the address of a file or folder on the server's disk, which is used there and not sent."""

FileT = TypeVar("FileT")

_FILE_BEGINNINGS: Final = (".", "/", "~", "\\")
_FILE_ENDINGS: Final = (".gguf", ".safetensors", ".bin", ".onnx")


class ModelfileSources(msgspec.Struct, Generic[FileT], frozen=True):
    """What a model is made of; files by name, with slashes."""

    base: str
    """Name of the model it is from; empty if it is from files."""
    files: dict[str, FileT]
    adapters: dict[str, FileT]
    draft_files: dict[str, FileT]


def find_sources(modelfile: Modelfile, find: Callable[[str], Mapping[str, FileT]]) -> ModelfileSources[FileT]:
    """Tell files from names of models.

    Args:
        modelfile: what was read.
        find: the files that a line names; none if it names something else. May raise a `RequestError`.

    Raises:
        RequestError: a file is missing, or two have the same name.
    """
    files: dict[str, FileT] = {}
    base = ""
    for source in modelfile.from_:
        found = find(source)
        if twice := files.keys() & found.keys():
            raise RequestError(f"two files of the model are called {min(twice)}; rename one of them")
        files |= found
        base = base if found else source
    draft_files = _existing(modelfile.draft, find) if modelfile.draft else {}
    if any(file in files.values() for file in draft_files.values()):
        raise RequestError(f"DRAFT must not reference the same local path as FROM: {modelfile.draft}")
    adapters = {name: file for source in modelfile.adapters for name, file in _existing(source, find).items()}
    return ModelfileSources(base, files, adapters, draft_files)


def names_file(source: str) -> bool:
    """Whether it can only be meant as a path: then a missing file is a mistake, and no name of a model."""
    if "://" in source:
        return False
    return source.startswith(_FILE_BEGINNINGS) or source.lower().endswith(_FILE_ENDINGS)


def _existing(source: str, find: Callable[[str], Mapping[str, FileT]]) -> dict[str, FileT]:
    files = dict(find(source))
    if not files:
        raise RequestError(f"there is no file or folder {source}")
    return files
