"""From a Modelfile to a request to create a model, and the files that must be uploaded before it (contract 7.7, 11)."""

import hashlib
import os.path
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from camelid.cli.messages import CreateBody
from camelid.errors import RequestError
from camelid.store.model_folder import model_files
from camelid.store.modelfile import Modelfile
from camelid.store.modelfile_sources import find_sources, names_file

__all__ = ("ModelSources", "collect", "read_pieces")

_PIECE_BYTES: Final = 1 << 20


class ModelSources(msgspec.Struct, frozen=True):
    """What `create` sends."""

    body: CreateBody
    blobs: dict[str, Path]
    """By digest."""


def collect(
    model: str,
    modelfile: Modelfile,
    folder: Path,
    *,
    quantize: str = "",
    draft_quantize: str = "",
    becomes: str = "",
    endings: Callable[[], Iterable[str]] = tuple,
) -> ModelSources:
    """Find and hash every file that a Modelfile names.

    Args:
        model: name of the model to make.
        modelfile: what was read.
        folder: what relative paths are relative to.
        quantize: target type; empty to keep the weights as they are.
        draft_quantize: the same for the draft model.
        becomes: format to convert safetensors to; empty to take what `create` makes of them.
        endings: of files that installed backends know; asked only for a folder without weights of a known name.

    Raises:
        RequestError: a file is missing or unusable, or two have the same name.
    """
    blobs: dict[str, Path] = {}

    def digests(files: dict[str, Path]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, path in files.items():
            found[name] = _digest(path)
            blobs[found[name]] = path
        return found

    sources = find_sources(modelfile, partial(_local_files, folder=folder, endings=endings))
    body = CreateBody(
        model,
        from_=sources.base,
        files=digests(sources.files),
        adapters=digests(sources.adapters),
        draft_files=digests(sources.draft_files),
        template=modelfile.template or "",
        system=modelfile.system or "",
        license=modelfile.licenses,
        parameters=modelfile.parameters,
        messages=modelfile.messages,
        quantize=quantize,
        format=becomes,
        draft_quantize=draft_quantize,
        renderer=modelfile.renderer,
        parser=modelfile.parser,
        requires=modelfile.requires,
    )
    return ModelSources(body, blobs)


def read_pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes, a mebibyte at a time.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", reason=str(error)) from error


def _local_files(source: str, folder: Path, endings: Callable[[], Iterable[str]]) -> dict[str, Path]:
    """The files of a path by name; empty if the source is the name of a model."""
    path = folder / os.path.expanduser(source)  # noqa: PTH111 - pathlib's fails for users that are not there
    # Unlike pathlib's, these take any text: what is too long for a path is none.
    if os.path.isdir(path):  # noqa: PTH112
        try:
            return model_files(path, endings)
        except OSError as error:
            raise RequestError(f"cannot read the folder {path}: {error.strerror}", reason=str(error)) from error
    if os.path.isfile(path):  # noqa: PTH113
        return {path.name: path}
    if names_file(source):
        raise RequestError(f"there is no file or folder {source}", reason=f"looked for {path}")
    return {}


def _digest(path: Path) -> str:
    hashed = hashlib.sha256()
    for piece in read_pieces(path):
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"
