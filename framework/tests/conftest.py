"""What tests of several parts need."""

import importlib
import os
import sys
import textwrap
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


HEAD = """
import camelid
from camelid import hookimpl
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor

"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs tiny distributions for the length of a test: a module and its metadata, as pip would leave them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, source: str = "", *, api: str = "CAMELID_API = 1", package: str = "", entry: str = ""):
        package = package or f"dist-{name}"
        module = f"installed_{package.replace('-', '_')}"
        (tmp_path / f"{module}.py").write_text(HEAD + api + "\n" + textwrap.dedent(source))
        info = tmp_path / f"{package.replace('-', '_')}-2.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.5\n")
        (info / "entry_points.txt").write_text(f"[camelid]\n{name} = {entry or module}\n")
        importlib.invalidate_caches()

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("installed_"):
            del sys.modules[name]


BACKEND = """
@hookimpl
def camelid_backends(register):
    register(BackendDescriptor(name="{name}", formats=frozenset({{"{format}"}}), capabilities=frozenset()))
"""


@pytest.fixture
def backend_source() -> Callable[[str, str], str]:
    """The source of a hook that registers one backend."""
    return lambda name, model_format="toy": BACKEND.format(name=name, format=model_format)
