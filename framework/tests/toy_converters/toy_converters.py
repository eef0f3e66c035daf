"""A plugin whose converters write tiny GGUF files that say what they were made of. The source's `config.json`, or the
name in its GGUF header, may say how they misbehave.
"""

import errno
import json
import os
import time
from pathlib import Path

import gguf
import numpy as np

from camelid import Converter, hookimpl
from camelid.errors import UnsupportedCapabilityError
from camelid.types.artifact import FileRole
from camelid.types.conversion import ConverterDescriptor

CAMELID_API = 1
FILE_TYPES = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_K_S": 14, "Q4_K_M": 15}


@hookimpl
def camelid_converters(register):
    both = frozenset({FileRole.MODEL, FileRole.ADAPTER})
    register(ConverterDescriptor("toy-import", "safetensors", "gguf", both, ("F32", "F16")))
    register(ConverterDescriptor("toy-quantize", "gguf", "gguf", quantizations=tuple(FILE_TYPES)))
    register(ConverterDescriptor("toy-merge", "gguf-split", "gguf"))
    register(ConverterDescriptor("toy-graph", "safetensors", "onnx", quantizations=("F32", "INT4")))


@hookimpl
def camelid_converter(name):
    if name == "toy-nothing":
        return None
    return ToyGraph() if name == "toy-graph" else ToyConverter()


class ToyGraph(Converter):
    """Writes a folder, without its tokenizer if the source's config says so."""

    def convert(self, task, report):
        folder = Path(task.target)
        folder.mkdir()
        facts = json.loads((Path(task.folder) / "config.json").read_bytes())
        model = {"type": "llama", "context_length": 512, "decoder": {"filename": "model.onnx", "hidden_size": 64}}
        (folder / "genai_config.json").write_text(json.dumps({"model": model}))
        (folder / "model.onnx").write_bytes(b"graph " + task.quantization.encode())
        (folder / "model.onnx.data").write_bytes(b"weights")
        if facts.get("trouble") != "incomplete":
            (folder / "tokenizer.json").write_bytes(b"{}")
        report(1, 1)


class ToyConverter(Converter):
    def convert(self, task, report):
        folder = Path(task.folder)
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        config = folder / "config.json"
        facts = json.loads(config.read_bytes()) if config.exists() else {}
        report(1, 4)
        Path(task.target).write_bytes(b"half")
        trouble(facts.get("trouble", ""), report)
        report(4, 4)
        Path(task.target).unlink()
        write(task, files, facts.get("type", "F16"))


def trouble(kind, report):
    if kind == "architecture":
        raise UnsupportedCapabilityError('unsupported architecture "Toy"')
    if kind == "break":
        raise ZeroDivisionError("broken")
    if kind == "full":
        raise OSError(errno.ENOSPC, "No space left on device")
    if kind == "memory":
        raise MemoryError
    if kind == "die":
        os.abort()
    while kind == "hang":
        time.sleep(0.02)
    while kind == "slow":
        time.sleep(0.02)
        report(2, 4)


def write(task, files, kind):
    writer = gguf.GGUFWriter(task.target, "llama")
    writer.add_string("general.type", "adapter" if task.role is FileRole.ADAPTER else "model")
    writer.add_uint32("general.file_type", FILE_TYPES[task.quantization or kind])
    writer.add_uint32("llama.context_length", 512)
    writer.add_string("toy.made", f"{task.converter} {task.quantization}: {' '.join(files)}")
    writer.add_string("toy.base", task.base)
    writer.add_tensor("token_embd.weight", np.zeros((10, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
