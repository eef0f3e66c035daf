import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.folder import SourceFolder
from camelid_gguf.safetensors import read_header
from camelid_gguf.weights import find_weights

GOOD = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def stored(header: object, data: bytes = bytes(24), *, claimed: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + data


def test_a_header_says_where_the_tensors_lie(tmp_path):
    path = tmp_path / "a.safetensors"
    header = {"__metadata__": {"format": "pt"}, "b": GOOD, "a": {"dtype": "U8", "shape": [], "data_offsets": [24, 25]}}
    path.write_bytes(content := stored(header, bytes(range(25))))
    tensors = read_header(path)
    assert [(tensor.name, tensor.dtype, tensor.shape, tensor.size) for tensor in tensors] == [
        ("b", "F32", (2, 3), 24),
        ("a", "U8", (), 1),
    ]
    assert content[tensors[1].offset] == 24


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "shorter than its header"),
        (b"\x01\0\0\0\0\0\0", "shorter than its header"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (stored({}, claimed=1 << 62), "header claims 4611686018427387904 bytes"),
        (stored({"a": GOOD}, claimed=5000), "header claims 5000 bytes"),
        (stored(b"{nonsense"), "is damaged"),
        (stored(b"\xff\xfe{}"), "is damaged"),
        (stored(b"[" * 200_000), "is damaged"),
        (stored([GOOD]), "no JSON object"),
        (stored({"a": 5}), "is damaged: a"),
        (stored({"\ud800": GOOD}), "no JSON object"),
        (stored({"a" * 600: GOOD}), "name has 600 characters"),
        (stored({"a": {"dtype": "F32", "shape": [6]}}), "missing required field `data_offsets`"),
        (stored({"a": GOOD | {"shape": [2, "3"]}}), "is damaged: a"),
        (stored({"a": GOOD | {"shape": [-2, -3]}}), r"impossible shape \[-2, -3\]"),
        (stored({"a": GOOD | {"shape": [1 << 40, 0]}}), "impossible shape"),
        (stored({"a": GOOD | {"shape": [1] * 9}}), "impossible shape"),
        (stored({"a": GOOD | {"shape": [2, 4]}}), r"24 bytes, which is not what F32 \[2, 4\] takes"),
        (stored({"a": GOOD | {"dtype": "F31"}}), "unknown type F31"),
        (stored({"a": GOOD | {"data_offsets": [24, 0]}}), "lies outside"),
        (stored({"a": GOOD | {"data_offsets": [-24, 0]}}), "lies outside"),
        (stored({"a": GOOD | {"data_offsets": [8, 32]}}), "lies outside"),
        (stored({"a": GOOD | {"data_offsets": [0, 24, 48]}}), "is damaged: a"),
        (stored({"a": GOOD, "b": GOOD | {"data_offsets": [12, 36]}}, bytes(36)), "a and b overlap"),
        (stored({"a": GOOD, "b": GOOD}), "a and b overlap"),
    ],
)
def test_a_header_that_lies_is_refused_with_a_sentence(content, message, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=message):
        read_header(path)


entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "U8", "X"]),
        "shape": st.lists(st.integers(-1, 6), max_size=3),
        "data_offsets": st.lists(st.integers(-1, 40), min_size=1, max_size=3),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=64)
    | st.builds(stored, st.binary(max_size=64))
    | st.builds(
        stored, st.dictionaries(st.sampled_from("abc"), entries | st.none(), max_size=3), st.binary(max_size=40)
    )
)
def test_any_bytes_are_tensors_inside_the_file_or_a_sentence(content, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    try:
        tensors = read_header(path)
    except InvalidModelFileError:
        return
    end = 0
    for tensor in tensors:
        assert end <= tensor.offset
        end = tensor.offset + tensor.size
    assert end <= len(content)


def test_the_index_names_the_files(tmp_path, write_safetensors, weights):
    for name in "ab":
        write_safetensors(tmp_path / f"model-{name}.safetensors", {name: weights(name, (2, 2))})
    write_safetensors(tmp_path / "model-old.safetensors", {"a": weights("a", (2, 2))})
    listed = {"a": "model-a.safetensors", "b": "model-b.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    assert sorted(find_weights(SourceFolder(str(tmp_path)))) == ["a", "b"]


def test_without_an_index_mistrals_own_copy_of_the_weights_is_left_out(tmp_path, write_safetensors, weights):
    write_safetensors(tmp_path / "model.safetensors", {"a": weights("a", (2, 2))})
    write_safetensors(tmp_path / "consolidated.safetensors", {"other": weights("a", (2, 2))})
    assert list(find_weights(SourceFolder(str(tmp_path)))) == ["a"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.safetensors", "is not the name of a file of this model"),
        ("/etc/passwd", "is not the name of a file of this model"),
        ("a/../../secret.safetensors", "is not the name of a file of this model"),
        ("..\\secret.safetensors", "is not the name of a file of this model"),
        ("./model.safetensors", "is not the name of a file of this model"),
        ("a\0b", "is not the name of a file of this model"),
        ("", "is not the name of a file of this model"),
        ("gone.safetensors", "gone.safetensors is missing"),
        (5, "must be a string"),
    ],
)
def test_an_index_opens_nothing_outside_the_folder(name, message, tmp_path, write_safetensors, weights):
    inside = tmp_path / "model"
    inside.mkdir()
    write_safetensors(tmp_path / "secret.safetensors", {"a": weights("a", (2, 2))})
    (inside / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(InvalidModelFileError, match=message):
        find_weights(SourceFolder(str(inside)))


def test_a_tensor_in_two_files_is_refused(tmp_path, write_safetensors, weights):
    for name in "ab":
        write_safetensors(tmp_path / f"model-{name}.safetensors", {"same": weights(name, (2, 2))})
    with pytest.raises(InvalidModelFileError, match="same is in two files"):
        find_weights(SourceFolder(str(tmp_path)))


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(InvalidModelFileError, match="no safetensors files found"):
        find_weights(SourceFolder(str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "config.json holds no JSON object"),
        (b"[" * 100_000, "config.json holds no JSON object"),
        (b"\xff", "config.json is not UTF-8"),
        (b"[]", "config.json holds no JSON object"),
        (None, "config.json is missing"),
    ],
)
def test_a_broken_configuration_is_refused(content, message, family_folder, convert):
    folder: Path = family_folder("llama")
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=message):
        convert(folder)


def test_weights_of_integers_are_refused(family_folder, convert, golden, weights, write_safetensors):
    folder = family_folder("llama")
    shapes = golden("families/llama.json")["tensors"]
    tensors = {name: ("I32", weights(name, shape)) for name, shape in shapes.items()}
    write_safetensors(folder / "model.safetensors", tensors)
    with pytest.raises(UnsupportedCapabilityError, match="has the type I32: quantized weights cannot be converted"):
        convert(folder)
