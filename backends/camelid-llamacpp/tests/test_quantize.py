"""Quantizing: every type llama.cpp writes on its own, what is refused, and that progress is told."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from camelid.errors import CamelidError, InvalidModelFileError, UnsupportedCapabilityError
from camelid.testing.tiny_gguf import ProjectorKind, write_language_model, write_projector
from camelid.types.conversion import ConversionTask
from camelid_llamacpp.file_types import FILE_TYPES
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.quantize import LlamaQuantizer

WIDTH = 256
"""What the largest blocks of a quantization need."""
MATRIX = "blk.0.ffn_up.weight"

# The element type of most tensors, and the error of its weights: root mean square, in standard deviations.
EXPECTED = {
    "F32": ("F32", 0),
    "F16": ("F16", 0.0003),
    "BF16": ("BF16", 0.002),
    "Q8_0": ("Q8_0", 0.006),
    "Q4_K_M": ("Q4_K", 0.08),
    "Q4_K_S": ("Q4_K", 0.08),
    "Q4_0": ("Q4_0", 0.09),
    "Q4_1": ("Q4_1", 0.08),
    "Q5_0": ("Q5_0", 0.05),
    "Q5_1": ("Q5_1", 0.04),
    "Q2_K": ("Q2_K", 0.31),
    "Q3_K_S": ("Q3_K", 0.16),
    "Q3_K_M": ("Q3_K", 0.16),
    "Q3_K_L": ("Q3_K", 0.16),
    "Q5_K_S": ("Q5_K", 0.04),
    "Q5_K_M": ("Q5_K", 0.04),
    "Q6_K": ("Q6_K", 0.02),
    "IQ3_S": ("IQ3_S", 0.18),
    "IQ3_M": ("IQ3_S", 0.18),
    "IQ4_NL": ("IQ4_NL", 0.08),
    "IQ4_XS": ("IQ4_XS", 0.08),
    "TQ1_0": ("TQ1_0", 0.85),
    "TQ2_0": ("TQ2_0", 0.85),
    "MXFP4_MOE": ("Q8_0", 0.006),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A folder with a model of 32 bits."""
    folder = tmp_path_factory.mktemp("source")
    write_language_model(folder / "model.gguf", width=WIDTH)
    return folder


@pytest.fixture
def quantize(source, tmp_path) -> Callable[..., Path]:
    """Quantize the model, or another folder's; the path of the outcome."""

    def run(quantization: str, folder: Path = source, report: Callable[[int, int], None] = lambda *_: None) -> Path:
        target = tmp_path / f"{quantization or 'copy'}.gguf"
        task = ConversionTask("llama-quantize", str(folder), str(target), quantization=quantization, threads=2)
        LlamaQuantizer().convert(task, report)
        return target

    return run


def tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def values(tensor: gguf.ReaderTensor) -> np.ndarray:
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def file_type(path: Path) -> int:
    return int(gguf.GGUFReader(path).fields["general.file_type"].contents())


def test_the_numbers_of_file_types_are_llama_cpps():
    for name, number in FILE_TYPES.items():
        kind = "ALL" if name == "F32" else "MOSTLY"
        assert getattr(llama_cpp, f"LLAMA_FTYPE_{kind}_{name}") == number


def test_every_type_is_expected():
    assert EXPECTED.keys() == FILE_TYPES.keys()


@pytest.mark.parametrize("quantization", FILE_TYPES)
def test_weights_stay_near_the_original(quantize, source, load, quantization):
    kind, tolerance = EXPECTED[quantization]
    path = quantize(quantization)
    assert file_type(path) == FILE_TYPES[quantization]
    original, quantized = tensors(source / "model.gguf"), tensors(path)
    assert quantized.keys() == original.keys()
    assert quantized[MATRIX].tensor_type.name == kind
    assert np.array_equal(quantized["output_norm.weight"].data, original["output_norm.weight"].data)
    wanted = original[MATRIX].data
    error = np.sqrt(np.mean((values(quantized[MATRIX]) - wanted) ** 2)) / wanted.std()
    assert tolerance / 2 <= error <= tolerance
    model = load(path)
    assert np.isfinite(model.embedder().embed([[5, 6, 7]])).all()
    model.close()


def test_without_a_quantization_tensors_are_copied(quantize, source):
    original, copied = tensors(source / "model.gguf"), tensors(quantize(""))
    assert all(np.array_equal(copied[name].data, tensor.data) for name, tensor in original.items())


def test_progress_goes_up_to_the_size_of_the_source(quantize, source):
    told: list[tuple[int, int]] = []
    quantize("Q8_0", report=lambda done, total: told.append((done, total)))
    size = (source / "model.gguf").stat().st_size
    done = [share for share, _ in told]
    assert {total for _, total in told} == {size}
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, size)
    assert len(set(done)) > 10


def test_who_listens_can_end_it(quantize):
    def refuse(_done: int, _total: int) -> None:
        raise CamelidError("nobody waits")

    with pytest.raises(CamelidError, match="nobody waits"):
        quantize("Q8_0", report=refuse)


def test_a_quantized_model_is_not_quantized_again(quantize, tmp_path):
    folder = tmp_path / "quantized"
    folder.mkdir()
    shutil.copy(quantize("Q8_0"), folder)
    with pytest.raises(UnsupportedCapabilityError, match="only supported for F16, BF16 and F32 models") as caught:
        quantize("Q4_K_M", folder)
    assert "q8_0" in caught.value.reason


def test_16_bits_are_a_source_too(quantize, tmp_path):
    folder = tmp_path / "half"
    folder.mkdir()
    shutil.copy(quantize("BF16"), folder)
    assert tensors(quantize("Q8_0", folder))[MATRIX].tensor_type.name == "Q8_0"


def test_odd_widths_fall_back_to_other_types(quantize, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    write_language_model(folder / "model.gguf", width=96)
    assert tensors(quantize("Q4_K_M", folder))[MATRIX].tensor_type.name == "Q5_0"


@pytest.mark.parametrize("quantization", ["IQ2_XXS", "Q2_K_S", "q8_0", "Q99"])
def test_other_types_are_refused_by_name(quantize, quantization):
    with pytest.raises(UnsupportedCapabilityError, match=f"unsupported quantization type {quantization} - supported"):
        quantize(quantization)


def test_a_projector_beside_the_model_is_left_alone(quantize, source, tmp_path):
    folder = tmp_path / "seeing"
    folder.mkdir()
    shutil.copy(source / "model.gguf", folder / "z.gguf")
    write_projector(folder / "a.gguf", ProjectorKind.MLP, width=WIDTH)
    (folder / "notes.txt").write_text("nothing")
    assert MATRIX in tensors(quantize("Q8_0", folder))


@pytest.mark.parametrize("names", [(), ("a.gguf", "b.gguf")], ids=["none", "two"])
def test_one_model_at_a_time(quantize, source, tmp_path, names):
    folder = tmp_path / "others"
    folder.mkdir()
    for name in names:
        shutil.copy(source / "model.gguf", folder / name)
    with pytest.raises(InvalidModelFileError) as caught:
        quantize("Q8_0", folder)
    assert ", ".join(names) in caught.value.reason


@pytest.mark.parametrize("kept", [8, 500, 20_000], ids=str)
def test_a_truncated_file_is_damaged(quantize, source, tmp_path, kept):
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "model.gguf").write_bytes((source / "model.gguf").read_bytes()[:kept])
    with pytest.raises(InvalidModelFileError) as caught:
        quantize("Q8_0", folder)
    assert caught.value.reason


def test_an_unknown_architecture_is_refused(quantize, source, tmp_path):
    folder = tmp_path / "unknown"
    folder.mkdir()
    content = (source / "model.gguf").read_bytes()
    (folder / "model.gguf").write_bytes(content.replace(b"llama", b"xlama"))
    with pytest.raises(UnsupportedCapabilityError) as caught:
        quantize("Q8_0", folder)
    assert "xlama" in caught.value.reason


def test_a_full_disk_is_named(source, tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from camelid.errors import DiskFullError\n"
        "from camelid.types.conversion import ConversionTask\n"
        "from camelid_llamacpp.quantize import LlamaQuantizer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: LlamaQuantizer().convert(ConversionTask('', *sys.argv[1:], quantization='F16'), lambda *_: None)\n"
        "except DiskFullError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(source), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "make room" in done.stdout
