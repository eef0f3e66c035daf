"""GGUF files of a few tensors, and what is made of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import pytest

from camelid_llamacpp.combined.assembly import Assembly

Values = Mapping[str, object]


def write_file(path: Path, architecture: str, tensors: Mapping[str, np.ndarray], values: Values) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in values.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_uint32(key, value)
    for name, value in tensors.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Write a file of the given architecture, tensors and values."""

    def write_it(architecture: str, tensors: Mapping[str, np.ndarray], values: Values | None = None) -> Path:
        return write_file(tmp_path / "model.gguf", architecture, tensors, values or {})

    return write_it


@pytest.fixture
def written(tmp_path) -> Callable[[Assembly], gguf.GGUFReader]:
    """Write an assembly, and read it as others do."""

    def write_and_read(assembly: Assembly) -> gguf.GGUFReader:
        path = tmp_path / "assembly.gguf"
        path.write_bytes(b"".join(bytes(chunk) for chunk in assembly.chunks()))
        assert path.stat().st_size == assembly.size
        return gguf.GGUFReader(path)

    return write_and_read
