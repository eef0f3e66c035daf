"""From each type of the source to each type of GGUF."""

import json

import gguf
import numpy as np
import pytest

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.numbers import decode
from camelid_gguf.weights import Weight
from camelid_gguf.writing import OutputTensor, rotary_rows

NAME = "model.layers.0.self_attn.o_proj.weight"


def bits(values: list[int], dtype: str) -> np.ndarray:
    return np.array(values, dtype).view(np.uint8).reshape(len(values), -1)


@pytest.mark.parametrize(
    ("stored", "dtype", "expected"),
    [
        (bits([0x3F80, 0xC000, 0x7F80, 0x0001], "<u2"), "BF16", [1.0, -2.0, np.inf, 9.1835e-41]),
        (bits([0x3C00, 0xC000, 0x0001, 0x7BFF], "<u2"), "F16", [1.0, -2.0, 5.9604645e-08, 65504.0]),
        (bits([0x38, 0xB8, 0x7E, 0x01, 0x08, 0x7F], "u1"), "F8_E4M3", [1.0, -1.0, 448.0, 2**-9, 2**-6, np.nan]),
        (bits([0x3C, 0xC0, 0x7B, 0x01, 0x7C], "u1"), "F8_E5M2", [1.0, -2.0, 57344.0, 2**-16, np.inf]),
    ],
)
def test_numbers_are_read(stored, dtype, expected):
    np.testing.assert_allclose(decode(stored, dtype).ravel(), expected, rtol=1e-4)


def test_all_types_of_weights_give_the_same_model(*, family_folder, convert, golden, weights, write_safetensors, read):
    shapes = golden("families/llama.json")["tensors"]
    folder = family_folder("llama")
    plain = {name: weights(name, shape).astype(np.float16) for name, shape in shapes.items()}
    write_safetensors(folder / "model.safetensors", {name: ("F64", value) for name, value in plain.items()})
    _, wanted = read(convert(folder, "F16"))
    for dtype in ("F32", "F16"):
        write_safetensors(folder / "model.safetensors", {name: (dtype, value) for name, value in plain.items()})
        convert_again = convert(folder, "F32")
        _, found = read(convert_again)
        convert_again.unlink()
        assert all((found[name] == wanted[name]).all() for name in wanted)


def test_halves_and_eights_are_what_the_library_makes_of_them(family_folder, convert, weights):
    folder = family_folder("llama")
    value = weights(NAME, (32, 32))
    for name in ("BF16", "Q8_0", "F16"):
        kind = gguf.GGMLQuantizationType[name]
        tensor = next(
            one for one in gguf.GGUFReader(convert(folder, name)).tensors if one.name == "blk.0.attn_output.weight"
        )
        assert tensor.tensor_type == kind
        assert (tensor.data == gguf.quantize(value, kind)).all()


def test_vectors_stay_whole_and_odd_rows_become_halves(family_folder, convert):
    kinds = {
        one.name: one.tensor_type.name for one in gguf.GGUFReader(convert(family_folder("mixtral"), "Q8_0")).tensors
    }
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert kinds["blk.0.ffn_gate_inp.weight"] == "F32"
    assert kinds["blk.0.ffn_gate_exps.weight"] == "Q8_0"
    assert kinds["blk.0.ffn_down_exps.weight"] == "F16"


def test_a_number_too_large_for_half_precision_is_refused_by_name(
    family_folder, convert, golden, weights, write_safetensors
):
    folder = family_folder("llama")
    tensors = {name: weights(name, shape) for name, shape in golden("families/llama.json")["tensors"].items()}
    tensors[NAME][3, 4] = 1e5
    write_safetensors(folder / "model.safetensors", tensors)
    with pytest.raises(UnsupportedCapabilityError, match=r"blk.0.attn_output.weight has numbers that F16 cannot hold"):
        convert(folder, "F16")
    convert(folder, "BF16")


@pytest.mark.parametrize("scales", ["one", "rows", "blocks"])
def test_eight_bit_floats_are_multiplied_by_their_scales(
    *, scales, family_folder, convert, golden, weights, write_safetensors, read
):
    shapes = golden("families/llama.json")["tensors"]
    folder = family_folder("llama")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [16, 20]}
    (folder / "config.json").write_text(json.dumps(config))
    stored = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32) & 0x77
    scale = weights("scale", {"one": (1,), "rows": (32, 1), "blocks": (2, 2)}[scales]) + 1
    whole = {
        "one": lambda: np.full((32, 32), scale[0]),
        "rows": lambda: np.repeat(scale, 32, 1),
        "blocks": lambda: np.repeat(np.repeat(scale, 16, 0), 20, 1)[:, :32],
    }[scales]()
    tensors = {name: weights(name, shape) for name, shape in shapes.items()}
    tensors |= {NAME: ("F8_E4M3", stored), f"{NAME}_scale_inv": scale}
    tensors[NAME.replace("weight", "activation_scale")] = np.ones(1, np.float32)
    write_safetensors(folder / "model.safetensors", tensors)
    _, found = read(convert(folder, "F32"))
    np.testing.assert_allclose(found["blk.0.attn_output.weight"], decode(stored, "F8_E4M3") * whole, rtol=1e-6)
    values, _ = read(convert(folder, ""))
    assert values["general.file_type"] == 7


@pytest.mark.parametrize(
    ("scale", "message"),
    [(None, "scales of .* are missing"), ((3, 2), r"has the shape \[3, 2\], which does not fit")],
)
def test_eight_bit_floats_without_fitting_scales_are_refused(
    *, scale, message, family_folder, convert, golden, weights, write_safetensors
):
    folder = family_folder("llama")
    tensors = {name: weights(name, shape) for name, shape in golden("families/llama.json")["tensors"].items()}
    tensors[NAME] = ("F8_E4M3", np.zeros((32, 32), np.uint8))
    if scale:
        tensors[f"{NAME}_scale_inv"] = np.ones(scale, np.float32)
    write_safetensors(folder / "model.safetensors", tensors)
    with pytest.raises(InvalidModelFileError, match=message):
        convert(folder)


def test_rotary_rows_are_halves_side_by_side():
    assert rotary_rows(12, 2).tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_a_tensor_larger_than_a_piece_is_written_whole(monkeypatch, weights):
    monkeypatch.setattr("camelid_gguf.writing.PIECE", 100)
    value = weights("x", (7, 32))
    tensor = OutputTensor("x", (7, 32), "F32", (Weight.of("x", value),), rows=np.arange(7)[::-1], add=1.0)
    pieces = list(tensor.pieces())
    assert len(pieces) == 3
    found = np.concatenate(pieces).view(np.float32)
    np.testing.assert_array_equal(found, value[::-1] + 1)
