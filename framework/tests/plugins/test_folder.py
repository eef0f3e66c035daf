from pathlib import Path

import pytest

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.plugins.folder import PREFIX, in_folder
from camelid.store import workplace
from camelid.types.artifact import FileRole, ModelArtifact, ModelFile


def _artifact(blobs: Path, names: dict[str, str]) -> ModelArtifact:
    files = []
    for blob, name in names.items():
        (blobs / blob).write_text(f"content of {blob}")
        files.append(ModelFile(path=str(blobs / blob), name=name))
    return ModelArtifact(name="tiny", format="onnx", files=tuple(files))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_stand_under_their_names_as_long_as_they_are_needed(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path, {"sha256-a": "model.onnx", "sha256-b": "1_Pooling/config.json"})
    with in_folder(artifact) as found:
        folder = Path(found.folder)
        assert (folder / "1_Pooling" / "config.json").read_text() == "content of sha256-b"
        assert (folder / "model.onnx").samefile(tmp_path / "sha256-a")
        assert folder.name.startswith(PREFIX)
        assert found.files == artifact.files
    assert _names(tmp_path) == ["sha256-a", "sha256-b"]


def test_a_folder_that_is_one_already_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    artifact = _artifact(tmp_path, {"onnx/model.onnx": "onnx/model.onnx", "config.json": "config.json"})
    with in_folder(artifact) as found:
        assert found.folder == str(tmp_path)
    assert (tmp_path / "config.json").exists()


def test_a_model_of_one_file_has_no_folder(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path, {"model.gguf": ""})
    with in_folder(artifact) as found:
        assert found is artifact


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/../../b", "C:x", "a\\b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidModelFileError, match="leads elsewhere"), in_folder(_artifact(tmp_path, {"a": name})):
        pass
    assert _names(tmp_path) == ["a"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path, {"a": "config.json", "b": "config.json"})
    with pytest.raises(InvalidModelFileError, match="one name"), in_folder(artifact):
        pass


def test_what_the_system_refuses_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path, {"a": "config.json", "b": "config.json/model.onnx"})
    with pytest.raises(ModelLoadError) as caught, in_folder(artifact):
        pass
    assert caught.value.reason
    assert _names(tmp_path) == ["a", "b"]


def test_names_tell_models_of_the_same_files_apart(tmp_path: Path) -> None:
    one = ModelFile(path="/blobs/a", digest="sha256:a", name="model.onnx", role=FileRole.MODEL)
    other = ModelFile(path="/blobs/a", digest="sha256:a", name="encoder.onnx", role=FileRole.MODEL)
    keys = {ModelArtifact(name="tiny", format="onnx", files=(file,)).key for file in (one, other)}
    assert len(keys) == 2


def test_the_store_clears_away_what_a_killed_worker_leaves() -> None:
    assert PREFIX == workplace.PREFIX
