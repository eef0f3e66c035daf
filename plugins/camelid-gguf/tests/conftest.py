import ctypes
import json
import math
import runpy
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest

from camelid.types.artifact import FileRole
from camelid.types.conversion import ConversionTask
from camelid_gguf.converter import SafetensorsToGguf

GOLDEN = Path(__file__).parent / "golden"
ELEMENTS = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1", "I32": "<i4"}
Convert = Callable[..., Path]
Tensors = Mapping[str, "np.ndarray | tuple[str, np.ndarray]"]


def byte_alphabet() -> list[str]:
    """The characters that GPT-2 writes the 256 bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(256 + others.index(byte)) if byte in others else chr(byte) for byte in range(256)]


_SILENCE = llama_cpp.llama_log_callback(lambda *_: None)
"""Lives as long as the process: other tests' models may be freed, and logged, later."""


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Reads a file of expected values."""
    return lambda name: json.loads((GOLDEN / name).read_text())


@pytest.fixture(scope="session")
def weights() -> Callable[[str, Sequence[int]], np.ndarray]:
    """The numbers of a tensor by its name, as the expected values were made with."""
    return runpy.run_path(str(GOLDEN / "make.py"))["weights"]


@pytest.fixture(scope="session")
def write_safetensors() -> Callable[..., None]:
    """Writes a safetensors file: arrays as F32, or pairs of a type and an array of its bits."""

    def write(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> None:
        header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
        data = b""
        for name, tensor in tensors.items():
            dtype, array = tensor if isinstance(tensor, tuple) else ("F32", tensor)
            stored = np.ascontiguousarray(array, ELEMENTS[dtype]).tobytes()
            header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data + stored)]}
            data += stored
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)

    return write


@pytest.fixture(scope="session")
def write_tokenizer() -> Callable[[Path, int], None]:
    """Writes a byte-level tokenizer.json with that many tokens, or fewer bytes if there are not as many."""

    def write(folder: Path, size: int) -> None:
        alphabet = byte_alphabet()[: size - 3]
        vocabulary = {text: number for number, text in enumerate(["<|bos|>", "<|eot|>", *alphabet])}
        tokenizer = {
            "added_tokens": [
                {"id": number, "content": text, "special": True} for text, number in list(vocabulary.items())[:2]
            ],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": vocabulary, "merges": [[alphabet[0], alphabet[1]]]},
        }
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<|bos|>", "eos_token": "<|eot|>"}))

    return write


@pytest.fixture(scope="session")
def write_wordpiece() -> Callable[[Path], None]:
    """Writes BERT's kind of tokenizer.json."""

    def write(folder: Path) -> None:
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        words = [*"abcdefgh", *(f"##{letter}" for letter in "abcdefgh"), "bad", "##ge", "##d"]
        vocabulary = {text: number for number, text in enumerate([*special, *dict.fromkeys(words)])}
        tokenizer = {
            "added_tokens": [{"id": number, "content": text, "special": True} for number, text in enumerate(special)],
            "normalizer": {"type": "BertNormalizer", "lowercase": True, "strip_accents": None},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {"type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]"},
        }
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        (folder / "tokenizer_config.json").write_text(json.dumps({f"{k}_token": text for k, text in names.items()}))

    return write


@pytest.fixture
def family_folder(
    *, golden, weights, write_safetensors, write_tokenizer, write_wordpiece, tmp_path
) -> Callable[..., Path]:
    """Makes the folder of a tiny model of a family, as transformers would save it."""

    def make(name: str) -> Path:
        case = golden(f"families/{name}.json")
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(case["config"]))
        tensors = {key: weights(key, shape) for key, shape in case["tensors"].items()}
        write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})
        if "bert" in name:
            write_wordpiece(folder)
        else:
            write_tokenizer(folder, 64)
        return folder

    return make


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Converts a folder and gives the GGUF file."""

    def convert(folder: Path, quantization: str = "F32", *, role: FileRole = FileRole.MODEL, base: str = "") -> Path:
        target = tmp_path / f"{folder.name}-{role.value}-{quantization or 'default'}.gguf"
        task = ConversionTask(
            converter="safetensors-to-gguf",
            folder=str(folder),
            target=str(target),
            role=role,
            quantization=quantization,
            base=base,
        )
        SafetensorsToGguf().convert(task, lambda done, total: None)
        return target

    return convert


@pytest.fixture(scope="session")
def silent() -> None:
    """llama.cpp says nothing."""
    llama_cpp.llama_log_set(_SILENCE, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()


@pytest.fixture(scope="session")
def compute(silent: None) -> Callable[..., np.ndarray]:
    """What llama.cpp computes of tokens: logits or vectors for each, [tokens, ...], or one pooled vector."""

    def compute(path: Path, tokens: list[int], kind: str = "logits", adapter: Path | None = None) -> np.ndarray:
        wanted = llama_cpp.llama_model_default_params()
        wanted.n_gpu_layers = 0
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), wanted)
        assert model, f"llama.cpp does not load {path.name}"
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = options.n_batch = options.n_ubatch = 256
        options.n_threads = options.n_threads_batch = 1
        options.type_k = options.type_v = 0
        options.flash_attn_type = 0
        options.embeddings = kind != "logits"
        if kind == "vectors":
            options.pooling_type = 0
        context = llama_cpp.llama_init_from_model(model, options)
        assert context
        if adapter:
            loaded = llama_cpp.llama_adapter_lora_init(model, str(adapter).encode())
            assert loaded, f"llama.cpp does not load {adapter.name}"
            adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(loaded)
            assert llama_cpp.llama_set_adapters_lora(context, adapters, 1, (ctypes.c_float * 1)(1.0)) == 0
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place], batch.pos[place], batch.logits[place] = token, place, 1
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
        assert llama_cpp.llama_decode(context, batch) == 0
        width = llama_cpp.llama_model_n_embd(model)
        if kind == "pooled":
            rows = [np.ctypeslib.as_array(llama_cpp.llama_get_embeddings_seq(context, 0), (width,)).copy()]
        else:
            size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
            get, length = (
                (llama_cpp.llama_get_logits_ith, size)
                if kind == "logits"
                else (llama_cpp.llama_get_embeddings_ith, width)
            )
            rows = [np.ctypeslib.as_array(get(context, place), (length,)).copy() for place in range(len(tokens))]
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)
        return np.array(rows)

    return compute


@pytest.fixture(scope="session")
def tokenize(silent: None) -> Callable[[Path, list[str]], list[list[int]]]:
    """The tokens that llama.cpp makes of texts, special ones included."""

    def tokenize(path: Path, texts: list[str]) -> list[list[int]]:
        wanted = llama_cpp.llama_model_default_params()
        wanted.vocab_only = True
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), wanted)
        assert model, f"llama.cpp does not load {path.name}"
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        found = []
        for text in texts:
            data = text.encode()
            tokens = (llama_cpp.llama_token * 512)()
            count = llama_cpp.llama_tokenize(vocabulary, data, len(data), tokens, 512, True, True)
            found.append(list(tokens[:count]))
        llama_cpp.llama_model_free(model)
        return found

    return tokenize


@pytest.fixture(scope="session")
def read() -> Callable[[Path], tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Metadata and tensors of a GGUF file; the tensors as numbers."""
    import gguf

    def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        reader = gguf.GGUFReader(path)
        tensors = {
            tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type)
            .reshape([int(side) for side in tensor.shape[::-1]])
            .astype(np.float32)
            for tensor in reader.tensors
        }
        assert all(math.prod(tensor.shape) for tensor in tensors.values())
        return {key: field.contents() for key, field in reader.fields.items()}, tensors

    return read
