"""The ONNX backend against the kit."""

from pathlib import Path

from camelid.testing import BackendSuite
from camelid.testing.tiny_onnx import write_encoder, write_language_model, write_paged_model
from camelid.types import ModelArtifact, ModelFile
from camelid.types.artifact import FileRole

_REAL = next(
    (found for up in Path(__file__).parents if (found := up / "shared/models/smollm2-135m-onnx").is_dir()), None
)


def _artifact(folder: Path) -> ModelArtifact:
    """A folder as the store hands it over: the ONNX file first."""
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
    )


class TestTinyModel(BackendSuite):
    backend = "onnx"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        return _artifact(write_language_model(folder / "tiny"))


class TestPagedModel(BackendSuite):
    backend = "onnx"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        return _artifact(write_paged_model(folder / "paged"))


class TestTinyEncoder(BackendSuite):
    backend = "onnx"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        return _artifact(write_encoder(folder / "encoder"))


if _REAL is not None:

    class TestSmolLM2(BackendSuite):
        backend = "onnx"

        def make_artifact(self, folder: Path) -> ModelArtifact:
            assert _REAL is not None
            return _artifact(_REAL)
