"""WordPiece: as llama.cpp does it with the vocabulary of the same file."""

import unicodedata

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import InvalidModelFileError
from camelid.testing.suite.tokenizing import CORPUS

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    *("▁the", "▁q", "u", "ick", "i", "▁br", "own", "▁fox", "▁a", "a", "▁na", "ive", "▁naïve", "ve", "▁", "▁中", "▁。"),
    *("▁.", "▁!", "▁-", "▁1", "2", "3", "▁größe", "▁grosse", "▁gro", "e", "ß", "ö", "▁é", "▁e", "▁i", "▁ſ", "▁ё", "▁е"),
)


def _describe(words=_WORDS, *, lowercase=None, strip_accents=None, unknown=1):
    def describe(writer):
        writer.add_token_list([*_SPECIAL, *words])
        writer.add_token_types([gguf.TokenType.CONTROL] * len(_SPECIAL) + [gguf.TokenType.NORMAL] * len(words))
        writer.add_unk_token_id(unknown)
        writer.add_bos_token_id(2)
        writer.add_sep_token_id(3)
        writer.add_pad_token_id(0)
        writer.add_mask_token_id(4)
        if lowercase is not None:
            writer.add_bool("tokenizer.ggml.normalizer.lowercase", lowercase)
        if strip_accents is not None:
            writer.add_bool("tokenizer.ggml.normalizer.strip_accents", strip_accents)

    return describe


@pytest.fixture(
    scope="module", params=[(None, None), (False, None), (True, False), (False, True)], ids=lambda given: f"{given}"
)
def both(request, pair, write_vocabulary, tmp_path_factory):
    lowercase, strip_accents = request.param
    describe = _describe(lowercase=lowercase, strip_accents=strip_accents)
    return pair(write_vocabulary(tmp_path_factory.mktemp("words") / "model.gguf", "bert", describe))


def test_the_ids_are_those_of_llama_cpp(both):
    for text in (
        *CORPUS,
        "",
        "The QUICK brown-fox! Naïve naïve GRÖßE",
        "a[MASK] the [SEP]",
        "中。1233 \x00\x1c\ufffda\u200b",
    ):
        both.check(text)


@given(
    st.text(st.one_of(st.sampled_from("theTHEqickaïéß ▁中.!-123\n"), st.characters(max_codepoint=0x2FF)), max_size=40)
)
def test_any_text_has_the_ids_of_llama_cpp(both, text):
    both.check(text)


def test_every_character_is_treated_as_llama_cpp_treats_it(both):
    """Those of Unicode 3, which no table lacks."""
    known = unicodedata.ucd_3_2_0
    characters = [chr(code) for code in range(0x3000) if known.category(chr(code)) != "Cn"]
    for start in range(0, len(characters), 64):
        both.check(" ".join(f"the{each}a {each}" for each in characters[start : start + 64]))


def test_the_vocabulary_must_have_a_token_for_unknown_words(write_vocabulary, read_tokenizer, tmp_path):
    path = write_vocabulary(tmp_path / "model.gguf", "bert", _describe(unknown=1000))
    with pytest.raises(InvalidModelFileError, match="no token for unknown words"):
        read_tokenizer(path)


def test_a_word_begins_with_a_space(both):
    the, ick = len(_SPECIAL), len(_SPECIAL) + 3
    assert both.tokenizer.decode([2, the, the, ick, 3]) == b" the theick"
