"""Which files of a folder make a model or an adapter (contract 11.3)."""

import glob
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from camelid.errors import RequestError
from camelid.store.onnx_folder import GENAI_CONFIG

__all__ = ("model_files",)

_WEIGHTS: Final = (
    ("model*.safetensors", "*/model*.safetensors"),
    ("adapters.safetensors",),
    ("adapter_model*.safetensors",),
    ("consolidated*.safetensors",),
    ("pytorch_model*.bin",),
    ("consolidated*.pth",),
    ("*.gguf",),
    ("model.onnx*", "onnx/model.onnx*"),
    ("*.onnx*", "onnx/*.onnx*"),
    ("*.bin",),
)
"""The first group with a file is the model, or the adapter."""

_GENERATING_ONNX: Final = ("*.onnx*", "*/*.onnx*")
"""In a folder that says how ONNX Runtime GenAI shall use it, all of them belong to the model."""

_COMPANIONS: Final = ("*.json", "*/*.json", "chat_template.jinja", "tokenizer.model", "*/tokenizer.model")
_MOST_FILES: Final = 4096
_POINTER: Final = b"version https://git-lfs"


def model_files(folder: Path, endings: Callable[[], Iterable[str]] = tuple) -> dict[str, Path]:
    """The files to upload: names with slashes relative to the folder, and where they are, sorted by name.

    Args:
        folder: where to look.
        endings: those that backends know; asked only where no weights have a name that is known here.

    Raises:
        RequestError: no weights are there, several models, or too many files; one is a Git LFS pointer, or a link that
            leads out.
    """
    groups = ((_GENERATING_ONNX,) if (folder / GENAI_CONFIG).is_file() else ()) + _WEIGHTS
    weights = next((found for group in groups if (found := list(_matching(folder, group)))), [])
    if not weights and (one := _only_model(folder, tuple(endings()))):
        return {one.name: one}
    if not weights:
        raise RequestError(
            "no Modelfile or safetensors files found", reason=f"no file of weights in {folder} that has a known name"
        )
    for path in weights:
        _check_weights(path)
    return {path.relative_to(folder).as_posix(): path for path in sorted({*weights, *_matching(folder, _COMPANIONS)})}


def _only_model(folder: Path, endings: tuple[str, ...]) -> Path | None:
    """The file in a folder whose name ends as a backend's models do: a model by itself, so there must be only one."""
    named = (path.name for path in folder.iterdir() if path.name.lower().endswith(endings))
    found = sorted(_matching(folder, tuple(glob.escape(name) for name in named)))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise RequestError(f"{folder} has several models: {names}; name one of them instead of the folder")
    return found[0] if found else None


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    inside = folder.resolve()
    for count, path in enumerate(chain.from_iterable(map(folder.glob, patterns))):
        if count >= _MOST_FILES:
            raise RequestError(f"{folder} has more than {_MOST_FILES} files: make a folder of those of one model")
        if not path.resolve().is_relative_to(inside):
            raise RequestError(f"insecure path: {path} is a link that leads out of {folder}; copy the file there")
        if path.is_file():
            yield path


def _check_weights(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise RequestError(
                f"{path} is a Git LFS pointer and not the file itself; run 'git lfs pull' in its repository"
            )
