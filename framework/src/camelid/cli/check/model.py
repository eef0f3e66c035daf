"""The model to check with: of the store, or files that lie somewhere."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from camelid.errors import RequestError
from camelid.services.loading import NOT_WHOLE, Models
from camelid.services.model_files import format_of
from camelid.settings import Settings
from camelid.store.formats import GGUF, ONNX
from camelid.store.model_folder import model_files
from camelid.store.onnx_folder import has_onnx, main_first
from camelid.store.store import Store
from camelid.types.artifact import FileRole, ModelArtifact, ModelFile

__all__ = ("find_artifact",)

_SAFETENSORS = "safetensors"


def find_artifact(model: str, settings: Settings, endings: Mapping[str, str]) -> ModelArtifact:
    """The files that a backend is to load.

    Args:
        model: the path of a file or a folder, or a name as the server knows it.
        settings: where the store is.
        endings: of files that backends know, and the format that each stands for.

    Raises:
        CamelidError: there is no such model, or its files are of no known kind.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return _folder(path.resolve(), endings)
    if path.is_file():
        kind = format_of(path.name, path, endings)
        if kind is None:
            raise RequestError(
                f"{model} is no model file of a known format, and no installed backend knows files that end so "
                "(`endings` in its descriptor); name a folder if it has several files"
            )
        return ModelArtifact(name=path.name, format=kind, files=(ModelFile(path=str(path.resolve())),))
    store = Store(settings.models, prune=False)
    found = asyncio.run(Models(store, prefer_go=settings.go_template).find(model, not_found=NOT_WHOLE))
    return found.stored.artifact


def _folder(folder: Path, endings: Mapping[str, str]) -> ModelArtifact:
    """A folder as the store would hand it over: the file with the model first."""
    files = model_files(folder, lambda: endings)
    formats = (ONNX,) if has_onnx(files) else (GGUF, _SAFETENSORS)
    kind = next((kind for kind in formats if any(name.endswith(f".{kind}") for name in files)), "")
    if not kind and len(files) == 1:
        ((name, path),) = files.items()
        kind = format_of(name, path, endings) or ""
        if kind:
            return ModelArtifact(name=folder.name, format=kind, files=(ModelFile(path=str(path)),))
    if not kind:
        raise RequestError(f"{folder} has no model file of a known format")
    named = sorted(files, key=main_first) if kind == ONNX else list(files)
    return ModelArtifact(
        name=folder.name,
        format=kind,
        files=tuple(ModelFile(path=str(files[name]), name=name, role=_role(name, kind)) for name in named),
    )


def _role(name: str, kind: str) -> FileRole:
    """What a file of a folder is for."""
    weights = ".onnx" in Path(name).name if kind == ONNX else name.endswith(f".{kind}")
    return FileRole.MODEL if weights else FileRole.COMPANION
