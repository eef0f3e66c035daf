"""Byte-level BPE: as llama.cpp does it with the vocabulary of the same file."""

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.testing.suite.tokenizing import CORPUS
from camelid.types.vocabulary import TokenizerKind, Vocabulary
from camelid_tokenizers.letters import bytes_of, letters_of
from camelid_tokenizers.pre_tokenizers import PRE_TOKENIZERS
from camelid_tokenizers.tokenizer import VocabularyTokenizer

_TEXTS = (
    *CORPUS,
    "",
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|><|im_end|> <|im_start",
    "½ Ⅷ ² 12345 １２３ 3.14 1,000",
    "I'LL it's don't 'S ''s we'RE 'ſ iPhone XMLHttpRequest ÉCOLE Ǆ",
    "a\u00a0b\u3000c   \n\n  d\r\n\r\n  e\x0b\x0c\x85f\u2028g / //\n",
    "\x00\x01\x1c\x1f\x7f\u200b\u200d\ufeff\ufffd",
    "x" * 3000,
    " " * 300 + "a" + "\n" * 50,
    "$+<=>^~|`_€±©→ “quoted” — and… so¿ `code`",
    "e\u0301 ก็ हिन्दी ﷽ 𝒜𝟘 \U0010ffff \u0897\u1c89\ua7cb\U00010d40\U0001fae9",
)


def test_the_ids_are_those_of_llama_cpp(smollm2):
    for text in _TEXTS:
        smollm2.check(text)


@given(st.text(max_size=60))
def test_any_text_has_the_ids_of_llama_cpp(smollm2, text):
    smollm2.check(text)


@given(st.lists(st.sampled_from(["<|im_start|>", "<|im_end|>", "<|", "im_end|>", " ", "\n", "user", "é", "<"])))
def test_any_row_of_special_tokens_has_the_ids_of_llama_cpp(smollm2, parts):
    smollm2.check("".join(parts))


def test_pieces_and_ends_are_those_of_llama_cpp(smollm2):
    tokenizer = smollm2.tokenizer
    for token in range(0, tokenizer.vocabulary_size, 7):
        assert tokenizer.token_bytes(token) == smollm2.reference_bytes(token)
    assert tokenizer.end_tokens == smollm2.reference_ends() == {0, 2, 4}


def test_characters_may_be_spread_over_tokens(smollm2):
    tokens = smollm2.tokenizer.encode("🦙", add_special=False, parse_special=False)
    assert len(tokens) > 1
    assert b"".join(map(smollm2.tokenizer.token_bytes, tokens)) == "🦙".encode()
    with pytest.raises(UnicodeDecodeError):
        smollm2.tokenizer.token_bytes(tokens[0]).decode()


@pytest.mark.parametrize("name", sorted(PRE_TOKENIZERS))
def test_words_are_cut_as_llama_cpp_cuts_them(pair, write_byte_pairs, tmp_path, name):
    both = pair(write_byte_pairs(tmp_path / "model.gguf", name))
    for text in _TEXTS:
        both.check(text)


@pytest.mark.parametrize("name", sorted({meaning: name for name, meaning in PRE_TOKENIZERS.items()}.values()))
def test_any_text_is_cut_as_llama_cpp_cuts_it(pair, write_byte_pairs, tmp_path, name):
    both = pair(write_byte_pairs(tmp_path / "model.gguf", name))

    @settings(max_examples=60)
    @given(st.text(st.one_of(st.sampled_from("aAzSst'1239 \n\r\t.,!/-é中"), st.characters(codec="utf-8")), max_size=40))
    def cut(text):
        both.check(text)

    cut()


@given(st.text(max_size=60))
def test_no_byte_is_lost(tiny, text):
    ids = tiny.tokenizer.encode(text, add_special=False, parse_special=False)
    assert tiny.tokenizer.decode(ids).decode() == text


@given(st.binary())
def test_bytes_survive_being_written_as_letters(data):
    assert bytes_of(letters_of(data)) == data


@given(st.data())
def test_any_vocabulary_gives_the_ids_of_llama_cpp(pair, write_vocabulary, tmp_path_factory, data):
    """Also one that lacks letters that its merges need, and what they make."""
    words = st.text("abc", min_size=1, max_size=3)
    merges = data.draw(st.lists(st.tuples(words, words), min_size=1, max_size=12))
    tokens = data.draw(st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=12, unique=True))

    def describe(writer):
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list([*tokens, "<s>"])
        writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL])
        writer.add_token_merges([" ".join(merge) for merge in merges])
        writer.add_bos_token_id(len(tokens))
        writer.add_eos_token_id(len(tokens))

    both = pair(write_vocabulary(tmp_path_factory.mktemp("any") / "model.gguf", "gpt2", describe))
    both.check(data.draw(st.text("abcd ", max_size=12)))
    both.close()


def test_merges_are_found_again_where_a_file_does_not_list_them():
    pieces = [bytes((byte,)) for byte in range(256)]
    pieces += [b"th", b"he", b"the", b" the", b"### End"]
    vocabulary = Vocabulary(
        kind=TokenizerKind.BYTE_PAIR, pieces=pieces, control={"### End": 260}, pre_tokenizer="gpt-2"
    )
    tokenizer = VocabularyTokenizer(vocabulary, "old")
    assert tokenizer.encode("the the hero", add_special=True, parse_special=True) == [258, 259, 32, 257, *b"ro"]
    assert tokenizer.encode("### End", add_special=True, parse_special=True) == [260]
    assert len(tokenizer.encode("### End", add_special=True, parse_special=False)) == 7
