"""What a decoder remembers, what files are refused, and how much there is to read."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from llama_cpp import llama_cpp

from camelid.errors import InvalidModelFileError, ModelMemoryError
from camelid.testing.tiny_gguf import write_language_model
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid_numpy.backend import NumpyDecoder, NumpyModel

TOKENS = [3, 300, 301, 302, 290, 310, 299]


def load(path: Path, context_length: int = 64) -> NumpyModel:
    artifact = ModelArtifact(name="tiny", format="gguf", files=(ModelFile(path=str(path)),))
    return NumpyModel(artifact, LoadOptions(context_length=context_length))


@pytest.fixture
def path(tmp_path) -> Path:
    return write_language_model(tmp_path / "model.gguf")


def copy(source: Path, target: Path, add: Callable[[gguf.GGUFWriter], None], without: str = "") -> Path:
    """A model with something more, or with a tensor less."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            writer.add_key_value(name, field.contents(), field.types[0], field.types[-1] if field.types[1:] else None)
    for tensor in reader.tensors:
        if tensor.name != without:
            writer.add_tensor(tensor.name, np.array(tensor.data))
    add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def llama_cpp_says(path: Path, tokens: list[int], count: int) -> tuple[list[int], np.ndarray]:
    """The likeliest tokens after some others, and the logits of each; all of it in float32."""
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx, parameters.n_threads, parameters.n_threads_batch = 256, 1, 1
    parameters.type_k = parameters.type_v = llama_cpp.GGML_TYPE_F32
    parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED  # it rounds to 16 bits
    context = llama_cpp.llama_init_from_model(model, parameters)
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    said, logits = [], []
    try:
        for _ in range(count):
            array = (llama_cpp.llama_token * len(tokens))(*tokens)
            assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))) == 0
            logits.append(np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (size,)).copy())
            tokens = [int(logits[-1].argmax())]
            said += tokens
    finally:
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)
    return said, np.stack(logits)


def test_the_logits_are_those_of_llama_cpp(path):
    said, theirs = llama_cpp_says(path, TOKENS, 20)
    decoder = NumpyDecoder(load(path))
    ours = np.stack([decoder.feed(TOKENS), *(decoder.feed([token]).copy() for token in said[:-1])])
    assert ours.argmax(axis=1).tolist() == said
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_tokens_may_come_one_by_one_or_together(path):
    model = load(path)
    together = NumpyDecoder(model).feed(TOKENS)
    decoder = NumpyDecoder(model)
    for token in TOKENS:
        alone = decoder.feed([token])
    assert together == pytest.approx(alone, abs=1e-5)


def test_what_was_trimmed_is_forgotten(path):
    decoder = NumpyDecoder(load(path))
    wanted = decoder.feed(TOKENS)
    decoder.feed([290, 291])
    assert decoder.trim(3)
    assert decoder.feed(TOKENS[3:]) == pytest.approx(wanted, abs=1e-5)
    decoder.reset()
    assert decoder.feed(TOKENS) == pytest.approx(wanted, abs=1e-5)


def test_the_embedding_is_the_head_where_there_is_no_other(path, tmp_path):
    tied = load(copy(path, tmp_path / "tied.gguf", lambda writer: None, without="output.weight")).transformer
    assert tied.head is tied.embedding


def test_frequencies_may_be_slowed_down(path, tmp_path):
    factors = np.full(8, 2, np.float32)
    slow = load(copy(path, tmp_path / "slow.gguf", lambda writer: writer.add_tensor("rope_freqs.weight", factors)))
    assert slow.transformer.turns == pytest.approx(load(path).transformer.turns / 2)


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (lambda writer: writer.add_rope_scaling_type(gguf.RopeScalingType.YARN), "positions are scaled"),
        (lambda writer: writer.add_tensor("blk.0.attn_q.bias", np.ones(64, np.float32)), "attn_q.bias"),
    ],
)
def test_what_is_not_computed_here_is_refused(path, tmp_path, add, reason):
    with pytest.raises(InvalidModelFileError, match="model 'tiny' is no plain Llama") as refused:
        load(copy(path, tmp_path / "other.gguf", add))
    assert reason in refused.value.reason


def test_other_architectures_are_refused(tmp_path):
    with pytest.raises(InvalidModelFileError) as refused:
        load(write_language_model(tmp_path / "other.gguf", "qwen2vl"))
    assert "another architecture" in refused.value.reason


def test_a_tensor_is_missing_or_has_no_numbers(path, tmp_path):
    with pytest.raises(InvalidModelFileError) as refused:
        load(copy(path, tmp_path / "short.gguf", lambda writer: None, without="blk.1.ffn_up.weight"))
    assert "blk.1.ffn_up" in refused.value.reason
    bad = np.full(64, np.nan, np.float32)
    nan = copy(
        path, tmp_path / "nan.gguf", lambda writer: writer.add_tensor("output_norm.weight", bad), "output_norm.weight"
    )
    with pytest.raises(InvalidModelFileError) as refused:
        load(nan)
    assert "no numbers" in refused.value.reason


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.context_length", bytes(4)),
        ("llama.attention.layer_norm_rms_epsilon", np.float32(np.nan).tobytes()),
        ("llama.attention.layer_norm_rms_epsilon", np.float32(-1e9).tobytes()),
        ("llama.attention.head_count", (7).to_bytes(4, "little")),
        ("llama.attention.head_count", bytes(4)),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_that_nothing_can_be_computed_with_are_refused(path, key, value):
    content = path.read_bytes()
    place = content.index(key.encode()) + len(key) + 4
    path.write_bytes(content[:place] + value + content[place + 4 :])
    with pytest.raises(InvalidModelFileError, match="model 'tiny' is no plain Llama"):
        load(path)


def test_heads_that_cannot_share_are_refused(path, tmp_path):
    weights = np.zeros((48, 64), np.float32)
    for layer in range(2):
        path = copy(
            path,
            tmp_path / f"odd-{layer}.gguf",
            lambda writer, layer=layer: writer.add_tensor(f"blk.{layer}.attn_k.weight", weights),
            f"blk.{layer}.attn_k.weight",
        )
        path = copy(
            path,
            tmp_path / f"odder-{layer}.gguf",
            lambda writer, layer=layer: writer.add_tensor(f"blk.{layer}.attn_v.weight", weights),
            f"blk.{layer}.attn_v.weight",
        )
    path = copy(path, tmp_path / "odd.gguf", lambda writer: writer.add_head_count_kv(3))
    with pytest.raises(InvalidModelFileError) as refused:
        load(path)
    assert "reshape" in refused.value.reason


def test_a_context_that_no_memory_holds_is_one_error(path, tmp_path):
    huge = copy(path, tmp_path / "huge.gguf", lambda writer: None)
    content = huge.read_bytes()
    key = b"llama.context_length"
    place = content.index(key) + len(key) + 4
    huge.write_bytes(content[:place] + (2**31).to_bytes(4, "little") + content[place + 4 :])
    with pytest.raises(ModelMemoryError, match="not enough memory for model 'tiny'"):
        load(huge, context_length=2**42)


def test_it_is_read_in_one_sitting():
    sources = Path(load.__code__.co_filename).parents[1].glob("src/**/*.py")
    assert 200 < sum(len(source.read_text(encoding="utf-8").splitlines()) for source in sources) < 300
