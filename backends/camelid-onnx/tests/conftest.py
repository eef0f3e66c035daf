"""Folders as artifacts, and models loaded from them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_onnx.backend import load_model
from camelid_onnx.model import OnnxModel


def as_artifact(folder: Path) -> ModelArtifact:
    """A folder as the worker hands it over: the ONNX file first."""
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.suffix != ".onnx")
    return ModelArtifact(
        name=folder.name,
        format="onnx",
        files=tuple(
            ModelFile(
                path=str(path),
                name=path.relative_to(folder).as_posix(),
                role=FileRole.MODEL if ".onnx" in path.name else FileRole.COMPANION,
            )
            for path in files
        ),
        folder=str(folder),
    )


@pytest.fixture
def load() -> Iterator[Callable[..., OnnxModel]]:
    """Load a folder; what was loaded is closed at the end."""
    loaded: list[OnnxModel] = []

    def load_folder(folder: Path, *, context: int = 128, **options: object) -> OnnxModel:
        loaded.append(load_model(as_artifact(folder), LoadOptions(context_length=context, parallel=2, backend=options)))
        return loaded[-1]

    yield load_folder
    for model in loaded:
        model.close()
