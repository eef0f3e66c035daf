"""Text to tokens: as llama.cpp does it with the vocabulary of the same file."""

import ctypes
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import llama_cpp

from camelid.errors import RequestError
from camelid.testing.suite.tokenizing import CORPUS
from camelid.testing.tiny_gguf import write_language_model
from camelid_ctransformers.gguf_file import read_gguf
from camelid_ctransformers.gguf_vocabulary import gguf_vocabulary
from camelid_ctransformers.merging import merge_pairs
from camelid_ctransformers.splitting import SPLITS, split_words
from camelid_ctransformers.tokenizer import VocabularyTokenizer

_TEXTS = (
    *CORPUS,
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n",
    "½ Ⅷ ² 12345 １２３ 3.14 1,000",
    "I'LL it's don't 'S ''s we'RE",
    "a\u00a0b\u3000c   \n\n  d\r\n\r\n  e\x0b\x0c\x85f\u2028g",
    "\x00\x01\x1c\x1f\x7f\u200b\u200d\ufeff\ufffd",
    "x" * 3000,
    " " * 300 + "a" + "\n" * 50,
    "$+<=>^~|`_€±©→ “quoted” — and… so¿",
    "e\u0301 ก็ हिन्दी ﷽ 𝒜𝟘 \U0010ffff",
)


def _ordinary(text: str) -> str:
    """Without the one control token of the tiny model that llama.cpp makes of plain text, as it must not."""
    return re.sub(r"\n+", "\n", text)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_language_model(tmp_path_factory.mktemp("tiny") / "model.gguf")


@pytest.fixture(scope="module")
def reference(smollm2, tiny) -> Iterator[Callable[[str, str, bool], list[int]]]:
    """llama.cpp's tokens: of the file `smollm2` or `tiny`, of a text, with control tokens or without."""
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = True
    models = {
        name: llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        for name, path in {"smollm2": smollm2, "tiny": tiny}.items()
    }

    def tokenize(name: str, text: str, special: bool) -> list[int]:
        data = text.encode()
        tokens = (ctypes.c_int32 * (len(data) + 8))()
        vocabulary = llama_cpp.llama_model_get_vocab(models[name])
        count = llama_cpp.llama_tokenize(vocabulary, data, len(data), tokens, len(tokens), True, special)
        return tokens[:count]

    yield tokenize
    for model in models.values():
        llama_cpp.llama_model_free(model)


@pytest.fixture(scope="module")
def tokenizers(smollm2, tiny) -> dict[str, VocabularyTokenizer]:
    paths = {"smollm2": smollm2, "tiny": tiny}
    return {name: VocabularyTokenizer(gguf_vocabulary(read_gguf(path, name))) for name, path in paths.items()}


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("name", ["smollm2", "tiny"])
def test_the_ids_are_those_of_llama_cpp(tokenizers, reference, name, special):
    for text in map(_ordinary, _TEXTS):
        ids = tokenizers[name].encode(text, add_special=True, parse_special=special)
        assert ids == reference(name, text, special), text[:40]


@given(st.text(max_size=60), st.booleans())
def test_any_text_has_the_ids_of_llama_cpp(tokenizers, reference, text, special):
    text = _ordinary(text)
    for name, tokenizer in tokenizers.items():
        ids = tokenizer.encode(text, add_special=True, parse_special=special)
        assert ids == reference(name, text, special)


@given(st.text(max_size=60))
def test_no_byte_is_lost(tokenizers, text):
    ids = tokenizers["tiny"].encode(text, add_special=False, parse_special=False)
    assert tokenizers["tiny"].decode(ids).decode() == text


def test_bytes_without_a_token_are_left_out(tokenizers):
    tokenizer = tokenizers["smollm2"]
    assert tokenizer.decode(tokenizer.encode("a\U00040000b", add_special=False, parse_special=False))[:1] == b"a"


def test_lone_surrogates_become_replacement_characters(tokenizers):
    tokenizer = tokenizers["smollm2"]
    assert tokenizer.decode(tokenizer.encode("a\ud800b", add_special=False, parse_special=False)) == "a\ufffdb".encode()


def test_end_tokens_are_those_of_llama_cpp(tokenizers):
    assert tokenizers["smollm2"].end_tokens == {0, 2, 4}
    assert tokenizers["tiny"].end_tokens >= {2}


def test_a_token_outside_of_the_vocabulary_is_refused(tokenizers):
    with pytest.raises(RequestError, match="token 49152 is not in the model's vocabulary"):
        tokenizers["smollm2"].token_bytes(49152)


@given(st.text(), st.sampled_from(sorted(SPLITS)))
def test_words_put_together_are_the_text(text, split):
    assert "".join(split_words(text, SPLITS[split])) == text


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("gpt-2", ["it", "'s", " 2024", " ", " now", "!?"]),
        ("smollm", ["it", "'s", " ", "2", "0", "2", "4", " ", " now", "!?"]),
        ("llama-bpe", ["it", "'s", " ", "202", "4", " ", " now", "!?"]),
        ("qwen2", ["it", "'s", " ", "2", "0", "2", "4", " ", " now", "!?"]),
        ("falcon", ["it", "'", "s", " ", "202", "4", " ", " now", "!?"]),
    ],
)
def test_each_pattern_cuts_its_own_way(split, words):
    assert list(split_words("it's 2024  now!?", SPLITS[split])) == words


def test_the_earliest_pair_is_merged_first_and_of_equals_the_leftmost():
    ranks = {(b"a", b"b"): 2, (b"b", b"c"): 1, (b"x", b"x"): 5, (b"xx", b"x"): 4}
    assert merge_pairs([b"a", b"b", b"c"], lambda *pair: ranks.get(pair)) == [b"a", b"bc"]
    assert merge_pairs([b"x"] * 5, lambda *pair: ranks.get(pair)) == [b"xxx", b"xx"]
    assert merge_pairs([], lambda *pair: ranks.get(pair)) == []
