from pathlib import Path

import numpy as np
import pytest

from camelid.errors import InvalidModelFileError
from camelid.testing.onnx_format import OnnxGraph, encode_model
from camelid_onnx.onnx_file import external_files


def written(folder: Path, *files: str) -> Path:
    graph = OnnxGraph()
    for index, file in enumerate(files):
        graph.constant(f"tensor_{index}", np.ones(3, np.float32), file=file)
    graph.constant("inside", np.ones(3, np.float32))
    path = folder / "model.onnx"
    path.write_bytes(encode_model(graph))
    return path


def test_the_files_of_weights_are_found(tmp_path):
    assert external_files(written(tmp_path, "a.data", "sub/b.data", "a.data")) == {"a.data", "sub/b.data"}
    assert external_files(written(tmp_path)) == frozenset()


def test_a_file_in_a_nodes_attribute_is_found(tmp_path):
    """A graph within a node of a graph: ModelProto.graph.node.attribute.g.initializer."""
    inner = OnnxGraph()
    inner.constant("hidden", np.ones(3, np.float32), file="hidden.data")

    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content

    nested = field(7, field(1, field(5, field(6, inner.encode()))))
    (tmp_path / "model.onnx").write_bytes(nested)
    assert external_files(tmp_path / "model.onnx") == {"hidden.data"}


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_cut_file_is_refused(tmp_path, cut):
    path = written(tmp_path, "a.data")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InvalidModelFileError, match=r"model.onnx is no ONNX file, or a damaged one"):
        external_files(path)


@pytest.mark.parametrize("content", [b"", b"GGUF" + bytes(100), b"\xff" * 50, b"\x0a\x00", b"{}"])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=r"model\.onnx"):
        external_files(tmp_path / "model.onnx")


def test_graphs_without_end_are_refused(tmp_path):
    content = b""
    for _ in range(60):
        for number in (6, 5, 1):
            size = len(content)
            content = bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + content
    size = len(content)
    (tmp_path / "model.onnx").write_bytes(bytes([7 << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content)
    with pytest.raises(InvalidModelFileError) as caught:
        external_files(tmp_path / "model.onnx")
    assert "nested" in caught.value.reason
