import gguf
import numpy as np
import pytest

from camelid_llamacpp.combined.assembly import Range
from camelid_llamacpp.combined.draft import DraftTensor
from camelid_llamacpp.combined.numbers import as_floats, made_of_floats, reads_as_floats

KINDS = gguf.GGMLQuantizationType
NUMBERS = np.random.default_rng(1).normal(size=(4, 256)).astype(np.float32)


def tensor_in(path, kind: gguf.GGMLQuantizationType) -> tuple[DraftTensor, np.ndarray]:
    content = gguf.quants.quantize(NUMBERS, kind)
    path.write_bytes(content.tobytes())
    return DraftTensor(int(kind), (256, 4), (Range(0, path.stat().st_size),)), gguf.quants.dequantize(content, kind)


def numbers_of(path, tensor: DraftTensor) -> np.ndarray:
    (piece,) = tensor.pieces
    with path.open("rb", buffering=0) as source:
        return np.frombuffer(piece.compute(source), np.float32)


@pytest.mark.parametrize("kind", [KINDS.F32, KINDS.F16, KINDS.BF16, KINDS.Q8_0, KINDS.Q4_0, KINDS.Q5_1])
def test_numbers_are_those_of_the_format(tmp_path, kind):
    tensor, expected = tensor_in(tmp_path / "weights", kind)
    assert reads_as_floats(tensor)
    made = made_of_floats([tensor], tensor.shape)
    np.testing.assert_array_equal(numbers_of(tmp_path / "weights", made).reshape(4, 256), expected)


@pytest.mark.parametrize("kind", [KINDS.Q4_K, KINDS.Q5_K, KINDS.Q6_K, KINDS.IQ4_XS])
def test_smaller_numbers_are_those_of_the_format_too(tmp_path, kind):
    _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    content = np.random.default_rng(2).integers(0, 60, (4, block_bytes), np.uint8)
    (tmp_path / "weights").write_bytes(content.tobytes())
    made = made_of_floats([DraftTensor(int(kind), (256, 4), (Range(0, content.size),))], (256, 4))
    expected = gguf.quants.dequantize(content, kind)
    np.testing.assert_allclose(numbers_of(tmp_path / "weights", made).reshape(4, 256), expected, rtol=1e-6)


def test_only_halves_become_whole_numbers(tmp_path):
    halves, expected = tensor_in(tmp_path / "halves", KINDS.F16)
    np.testing.assert_array_equal(numbers_of(tmp_path / "halves", as_floats(halves)).reshape(4, 256), expected)
    for kind in (KINDS.F32, KINDS.Q8_0):
        tensor, _ = tensor_in(tmp_path / "others", kind)
        assert as_floats(tensor) is tensor


def test_several_become_one_and_are_changed(tmp_path):
    tensor, expected = tensor_in(tmp_path / "weights", KINDS.Q8_0)
    made = made_of_floats([tensor, tensor], (256, 8), lambda numbers: numbers * 2)
    assert made.shape == (256, 8)
    np.testing.assert_array_equal(numbers_of(tmp_path / "weights", made).reshape(2, 4, 256), [expected * 2] * 2)


def test_integers_are_no_numbers_of_a_model():
    assert not reads_as_floats(DraftTensor(int(KINDS.I8), (4,), (b"1234",)))
