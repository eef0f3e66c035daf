"""SentencePiece: as llama.cpp does it with the vocabulary of the same file."""

import re

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import InvalidModelFileError
from camelid.testing.suite.tokenizing import CORPUS
from camelid_tokenizers.merging import merge_pairs


def _ordinary(text: str) -> str:
    """Without the one control token of the tiny model that llama.cpp makes of plain text, as it must not."""
    return re.sub(r"\n+", "\n", text)


def _describe(words, scores, *, prefix=True, name=""):
    def describe(writer):
        texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words, "<|end|>"]
        kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
        kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * len(words) + [gguf.TokenType.CONTROL]
        writer.add_token_list(texts)
        writer.add_token_scores([0.0] * 259 + list(scores) + [0.0])
        writer.add_token_types(kinds)
        writer.add_add_space_prefix(prefix)
        if name:
            writer.add_name(name)

    return describe


def test_the_ids_are_those_of_llama_cpp(tiny):
    for text in (*CORPUS, "", "<|im_start|>user\nhello<|im_end|>", "x" * 3000, " " * 300):
        tiny.check(_ordinary(text))
    assert tiny.tokenizer.end_tokens == tiny.reference_ends()


@given(st.text(max_size=60))
def test_any_text_has_the_ids_of_llama_cpp(tiny, text):
    tiny.check(_ordinary(text))


@given(st.data())
def test_any_vocabulary_gives_the_ids_of_llama_cpp(pair, write_vocabulary, tmp_path_factory, data):
    """Also where scores are equal, so that the leftmost pair is merged first, and where spaces are inside of tokens."""
    words = data.draw(st.lists(st.text("ab▁", min_size=1, max_size=5), min_size=1, max_size=12, unique=True))
    scores = data.draw(st.lists(st.integers(-4, 0).map(float), min_size=len(words), max_size=len(words)))
    describe = _describe(words, scores, prefix=data.draw(st.booleans()))
    both = pair(write_vocabulary(tmp_path_factory.mktemp("any") / "model.gguf", "llama", describe))
    both.check(data.draw(st.text(st.sampled_from("abé▁ \n"), max_size=16)))
    both.check("aab abab  ab<|end|> ba</s>aaaa")
    both.close()


def test_special_tokens_of_phi_3_swallow_the_space_after_them(pair, write_vocabulary, tmp_path):
    describe = _describe(["▁", "a", "▁a", "<|endoftext|>"], [-1.0, -2.0, -3.0, 0.0], name="Phi-3 mini")
    both = pair(write_vocabulary(tmp_path / "model.gguf", "llama", describe))
    both.check("a<|end|> \n a </s>  a<s> a<|endoftext|> a <|end|>  <|end|> \v ")


def test_pieces_are_those_of_llama_cpp(tiny):
    for token in range(tiny.tokenizer.vocabulary_size):
        assert tiny.tokenizer.token_bytes(token) == tiny.reference_bytes(token)


def test_scores_must_be_as_many_as_tokens(write_vocabulary, read_tokenizer, tmp_path):
    path = write_vocabulary(tmp_path / "model.gguf", "llama", _describe(["a", "b"], [0.0]))
    with pytest.raises(InvalidModelFileError, match="262 tokens and 261 scores"):
        read_tokenizer(path)


def test_the_earliest_pair_is_merged_first_and_of_equals_the_leftmost():
    ranks = {(b"a", b"b"): 2, (b"b", b"c"): 1, (b"x", b"x"): 5, (b"xx", b"x"): 4}
    assert merge_pairs([b"a", b"b", b"c"], lambda *pair: ranks.get(pair)) == [b"a", b"bc"]
    assert merge_pairs([b"x"] * 5, lambda *pair: ranks.get(pair)) == [b"xxx", b"xx"]
    assert merge_pairs([], lambda *pair: ranks.get(pair)) == []
