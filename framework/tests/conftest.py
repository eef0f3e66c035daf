"""What tests of several parts need."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import gguf
import numpy as np
import pytest

MakeGGUF: TypeAlias = Callable[..., Path]

LLAMA: Mapping[str, int] = MappingProxyType(
    {
        "block_count": 2,
        "context_length": 512,
        "embedding_length": 64,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
    }
)


@pytest.fixture
def make_gguf(tmp_path: Path) -> MakeGGUF:
    """Writes a small but real GGUF file: metadata as given, a vocabulary of 300 tokens, two tensors."""

    def make(name: str = "tiny.gguf", *, architecture: str = "llama", **more: object) -> Path:
        path = tmp_path / name
        writer = gguf.GGUFWriter(path, architecture)
        facts = {f"{architecture}.{key}": value for key, value in LLAMA.items()}
        facts |= {"general.name": "Tiny", "general.file_type": 15}
        for key, value in {**facts, **more}.items():
            if isinstance(value, bool):
                writer.add_bool(key, value)
            elif isinstance(value, int):
                writer.add_uint32(key, value)
            elif isinstance(value, float):
                writer.add_float32(key, value)
            elif isinstance(value, str):
                writer.add_string(key, value)
            elif isinstance(value, list):
                writer.add_array(key, value)
        writer.add_array("tokenizer.ggml.tokens", [f"<{place}>" for place in range(300)])
        writer.add_array("tokenizer.ggml.token_type", [1] * 300)
        writer.add_tensor("token_embd.weight", np.zeros((300, 64), np.float32))
        writer.add_tensor("output_norm.weight", np.ones(64, np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return make


@pytest.fixture
def toy_converters(monkeypatch: pytest.MonkeyPatch) -> str:
    """Installs a plugin with converters of tiny models, for this process and its children. Its entry-point name."""
    folder = str(Path(__file__).parent / "toy_converters")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
    return "toys"
