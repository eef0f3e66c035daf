"""The NumPy backend against the kit, with a tiny model; `tests/e2e/test_contrib.py` has it answer with a real one."""

from pathlib import Path
from typing import ClassVar

from camelid.testing import BackendSuite
from camelid.testing.tiny_gguf import write_language_model
from camelid.types import LoadOptions, ModelArtifact, ModelFile

_RANDOM = "the case wants a model that repeats what it read, and this one has random weights"


class TestTiny(BackendSuite):
    backend = "numpy"
    options = LoadOptions(context_length=512)
    expected_failures: ClassVar[dict[str, str]] = {
        "test_concurrent_answers_do_not_mix": _RANDOM,
        "test_free_answers_beside_constrained_ones_stay_free": _RANDOM,
    }

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = write_language_model(folder / "model.gguf")
        return ModelArtifact(name="tiny", format="gguf", files=(ModelFile(path=str(path)),))
