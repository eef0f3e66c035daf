"""The NumPy backend against the kit, with a tiny model; `tests/e2e/test_contrib.py` has it answer with a real one."""

from pathlib import Path

from camelid.testing import BackendSuite
from camelid.testing.tiny_gguf import write_language_model
from camelid.types import LoadOptions, ModelArtifact, ModelFile


class TestTiny(BackendSuite):
    backend = "numpy"
    options = LoadOptions(context_length=512)

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = write_language_model(folder / "model.gguf")
        return ModelArtifact(name="tiny", format="gguf", files=(ModelFile(path=str(path)),))
