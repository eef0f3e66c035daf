import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camelid.errors import InvalidModelFileError
from camelid.types.conversion import ConversionTask
from camelid_gguf.converter import MergePieces
from camelid_gguf.header import read_gguf


@pytest.fixture
def merge(tmp_path):
    """Merges the pieces in a folder; gives the file and what was reported."""

    def merge(folder: Path) -> tuple[Path, list[tuple[int, int]]]:
        target, reports = tmp_path / "merged.gguf", []
        task = ConversionTask(converter="gguf-merge", folder=str(folder), target=str(target))
        MergePieces().convert(task, lambda done, total: reports.append((done, total)))
        return target, reports

    return merge


@pytest.fixture
def pieces(tmp_path, weights):
    """Writes a model in pieces of two tensors, with every type of metadata."""

    def pieces(tensors: int = 5, alignment: int = 32) -> Path:
        folder = tmp_path / "pieces"
        folder.mkdir()
        writer = gguf.GGUFWriter(folder / "tiny.gguf", "llama", split_max_tensors=2)
        if alignment != 32:
            writer.add_custom_alignment(alignment)
        writer.add_name("Ünïcode")
        for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
            getattr(writer, f"add_{kind}")(f"test.{kind}", 7)
        writer.add_float32("test.float32", 0.5)
        writer.add_float64("test.float64", 0.25)
        writer.add_bool("test.bool", val=True)
        writer.add_array("test.texts", ["a", "", "€"])
        writer.add_array("test.numbers", [1, 2, 3])
        for number in range(tensors):
            value = weights(f"t{number}", (3 + number, 32))
            if number % 2:
                kind = gguf.GGMLQuantizationType.Q8_0
                writer.add_tensor(f"t{number}", gguf.quantize(value, kind), raw_dtype=kind)
            else:
                writer.add_tensor(f"t{number}", value[:, :31].copy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return folder

    return pieces


@pytest.mark.parametrize("alignment", [32, 64])
def test_the_pieces_are_one_file_with_every_byte(alignment, pieces, merge):
    folder = pieces(alignment=alignment)
    target, reports = merge(folder)
    merged = gguf.GGUFReader(target)
    parts = [gguf.GGUFReader(path) for path in sorted(folder.iterdir())]
    assert len(parts) == 3
    wanted = {tensor.name: tensor for part in parts for tensor in part.tensors}
    assert [tensor.name for tensor in merged.tensors] == list(wanted)
    for tensor in merged.tensors:
        assert tensor.tensor_type == wanted[tensor.name].tensor_type
        assert tensor.data_offset % alignment == 0
        np.testing.assert_array_equal(tensor.data, wanted[tensor.name].data)
    values = {key: field.contents() for key, field in merged.fields.items()}
    first = {key: field.contents() for key, field in parts[0].fields.items() if not key.startswith("split.")}
    first |= {"GGUF.tensor_count": 5, "GGUF.kv_count": values["GGUF.kv_count"]}
    assert values == first
    total = sum(tensor.n_bytes for tensor in merged.tensors)
    assert reports[-1] == (total, total)
    assert reports == sorted(reports)


def rename(folder: Path, old: str, new: str) -> None:
    (folder / f"tiny-{old}.gguf").rename(folder / f"tiny-{new}.gguf")


def replace(folder: Path, piece: str, old: bytes, new: bytes) -> None:
    path = folder / f"tiny-{piece}.gguf"
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def number(key: bytes, value: int) -> bytes:
    return key + struct.pack("<IH", 2, value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: rename(f, "00002-of-00003", "two"), "must use llama.cpp split filename pattern"),
        (lambda f: (f / "tiny-00002-of-00003.gguf").unlink(), "has 2 shards, expected 3"),
        (lambda f: [path.unlink() for path in f.iterdir()], "no GGUF files found"),
        (lambda f: (f / "tiny-00002-of-00003.gguf").rename(f / "other-00002-of-00003.gguf"), "several models"),
        (
            lambda f: replace(f, "00002-of-00003", number(b"split.count", 3), number(b"split.count", 4)),
            "filename count 3 does not match metadata count 4",
        ),
        (
            lambda f: replace(f, "00002-of-00003", number(b"split.no", 1), number(b"split.no", 2)),
            "filename index 2 does not match metadata index 3",
        ),
        (lambda f: replace(f, "00002-of-00003", b"split.no", b"split.xx"), "is missing split.no metadata"),
        (lambda f: replace(f, "00002-of-00003", b"\x02\0\0\0\0\0\0\0t2", b"\x02\0\0\0\0\0\0\0t1"), "in two pieces"),
        (
            lambda f: replace(
                f, "00001-of-00003", b"split.tensors.count\x05\0\0\0\x05", b"split.tensors.count\x05\0\0\0\x06"
            ),
            "has 5 tensors, expected 6",
        ),
        (lambda f: replace(f, "00003-of-00003", b"GGUF", b"GGUX"), "is no GGUF file"),
        (
            lambda f: (f / "tiny-00003-of-00003.gguf").write_bytes((f / "tiny-00003-of-00003.gguf").read_bytes()[:-99]),
            "t4 lies outside of it",
        ),
    ],
)
def test_pieces_that_do_not_belong_together_are_refused(damage, message, pieces, merge):
    folder = pieces()
    damage(folder)
    with pytest.raises(InvalidModelFileError, match=message):
        merge(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_header_is_a_header_or_a_sentence(data, tmp_path):
    good = header()
    start = data.draw(st.integers(0, len(good) - 1))
    bad = good[:start] + data.draw(st.binary(max_size=12)) + good[start + data.draw(st.integers(0, 12)) :]
    path = tmp_path / "a.gguf"
    path.write_bytes(bad)
    try:
        found = read_gguf(path)
    except InvalidModelFileError:
        return
    assert all(tensor.offset + tensor.size <= len(bad) for tensor in found.tensors)


def header() -> bytes:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    entries = [
        text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama"),
        text(b"list") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"bc"),
        text(b"numbers") + struct.pack("<IIQ3H", 9, 2, 3, 1, 2, 3),
        text(b"general.alignment") + struct.pack("<II", 4, 32),
    ]
    info = text(b"t") + struct.pack("<IQQIQ", 2, 4, 2, 0, 0)
    start = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries) + info
    return start + bytes(-len(start) % 32) + bytes(32)
