"""LoRA adapters: the same numbers as from a model with the adapter added to its weights, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import pytest

from camelid.errors import InvalidModelFileError, ModelLoadError, UnsupportedCapabilityError
from camelid.testing.tiny_gguf import write_language_model
from camelid.testing.tiny_lora import lora_matrices, write_adapter
from camelid.types import Capability, LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp.backend import LlamaModel

WIDTH, RANK, ALPHA = 64, 2, 4.0
SHAPES = {
    "blk.0.attn_q.weight": (WIDTH, WIDTH),
    "blk.1.ffn_up.weight": (2 * WIDTH, WIDTH),
    "blk.1.ffn_down.weight": (WIDTH, 2 * WIDTH),
}
TOKENS = [5, 300, 310, 320, 330]

Numbers = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("base") / "model.gguf", width=WIDTH)


@pytest.fixture
def lora(tmp_path) -> Callable[..., Path]:
    """Write an adapter."""

    def write(*, seed: int = 3, shapes: dict[str, tuple[int, int]] = SHAPES, architecture: str = "llama") -> Path:
        matrices = lora_matrices(shapes, rank=RANK, seed=seed)
        return write_adapter(tmp_path / f"{seed}.gguf", matrices, architecture=architecture, alpha=ALPHA)

    return write


@pytest.fixture
def merged(base, tmp_path) -> Callable[..., Path]:
    """A copy of the base with adapters added to its weights."""

    def write(*seeds: int) -> Path:
        path = Path(shutil.copy(base, tmp_path / "merged.gguf"))
        tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path, "r+").tensors}
        for seed in seeds:
            for name, (first, second) in lora_matrices(SHAPES, rank=RANK, seed=seed).items():
                tensors[name].data[:] += ALPHA / RANK * (second @ first)
        return path

    return write


@pytest.fixture
def load_adapted() -> Callable[..., LlamaModel]:
    def load_model(path: Path, *adapters: Path) -> LlamaModel:
        files = [ModelFile(path=str(path)), *(ModelFile(path=str(item), role=FileRole.ADAPTER) for item in adapters)]
        options = LoadOptions(context_length=64, parallel=2, batch_tokens=64)
        return LlamaModel(ModelArtifact(name="adapted", format="gguf", files=tuple(files)), options)

    return load_model


@pytest.fixture
def logits(load_adapted, new_driver) -> Callable[..., Numbers]:
    """The logits after some tokens, of a model with adapters."""

    def compute(path: Path, *adapters: Path) -> Numbers:
        model = load_adapted(path, *adapters)
        found: Numbers = new_driver(model.decoder()).feed({0: TOKENS})[0]
        model.close()
        return found

    return compute


def test_logits_are_those_of_the_merged_model(logits, base, lora, merged):
    adapted = logits(base, lora())
    assert adapted == pytest.approx(logits(merged(3)), abs=1e-3)
    assert np.abs(adapted - logits(base)).max() > 0.1


def test_several_adapters_add_up(logits, base, lora, merged):
    assert logits(base, lora(seed=3), lora(seed=4)) == pytest.approx(logits(merged(3, 4)), abs=1e-3)


def test_embeddings_are_adapted_too(load_adapted, base, lora, merged):
    vectors = []
    for files in ((base, lora()), (merged(3),), (base,)):
        model = load_adapted(*files)
        vectors.append(model.embedder().embed([TOKENS]))
        model.close()
    adapted, expected, plain = vectors
    assert adapted == pytest.approx(expected, abs=1e-3)
    assert np.abs(adapted - plain).max() > 0.01


def test_each_decoder_is_adapted(load_adapted, new_driver, base, lora):
    model = load_adapted(base, lora())
    first, second = (new_driver(model.decoder()).feed({0: TOKENS})[0] for _ in range(2))
    assert np.array_equal(first, second)
    model.close()


def test_models_say_that_they_take_adapters_and_what_they_cost(load_adapted, base, lora):
    model, plain = load_adapted(base, lora()), load_adapted(base)
    assert Capability.ADAPTERS in plain.facts.capabilities
    (adapted,), (bare,) = model.memory(), plain.memory()
    assert adapted.model == pytest.approx(bare.model + lora().stat().st_size, abs=10_000)
    model.close()
    plain.close()


def test_an_adapter_for_another_architecture_is_refused(load_adapted, base, lora):
    with pytest.raises(ModelLoadError, match="made for another model") as caught:
        load_adapted(base, lora(architecture="qwen2"))
    assert "arch mismatch" in caught.value.reason


@pytest.mark.parametrize(
    "shapes",
    [{"blk.0.attn_q.weight": (WIDTH, 32)}, {"blk.7.attn_q.weight": (WIDTH, WIDTH)}],
    ids=["other width", "more layers"],
)
def test_an_adapter_for_another_model_is_refused(load_adapted, base, lora, shapes):
    with pytest.raises(ModelLoadError, match="made for another model"):
        load_adapted(base, lora(shapes=shapes))


def test_a_whole_model_is_no_adapter(load_adapted, base):
    with pytest.raises(InvalidModelFileError, match="holds nothing that") as caught:
        load_adapted(base, base)
    assert "general.type" in caught.value.reason


@pytest.mark.parametrize("kept", [0, 4, 100, -1000], ids=str)
def test_a_damaged_adapter_is_refused(load_adapted, base, lora, tmp_path, kept):
    damaged = tmp_path / "damaged"
    damaged.write_bytes(lora().read_bytes()[:kept])
    with pytest.raises(InvalidModelFileError, match="the adapter"):
        load_adapted(base, damaged)


def test_a_missing_adapter_cannot_be_read(load_adapted, base, tmp_path):
    with pytest.raises(ModelLoadError, match="of the adapter of model 'adapted' cannot be read"):
        load_adapted(base, tmp_path / "absent")


def test_an_adapter_that_waits_for_words_is_refused(load_adapted, base, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "activated.gguf", "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, ALPHA)
    writer.add_key_value("adapter.alora.invocation_tokens", [5, 6], gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.UINT32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UnsupportedCapabilityError, match="invocation words"):
        load_adapted(base, tmp_path / "activated.gguf")
