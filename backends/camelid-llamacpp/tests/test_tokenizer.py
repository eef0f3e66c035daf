"""Text to tokens and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.errors import RequestError


# The vocabulary has no tokens for some control characters, nor for the bytes that UTF-8 uses beyond U+1FFFF.
@given(st.text(st.characters(codec="utf-8", max_codepoint=0x1FFFF, exclude_categories=["Cc"])))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back(tokenizer, text):
    tokens = tokenizer.encode(text, add_special=False, parse_special=False)
    assert tokenizer.decode(tokens) == text.encode()


def test_null_characters_are_text(tokenizer):
    assert tokenizer.decode(tokenizer.encode("a\0b\0", add_special=False, parse_special=True)) == b"a\0b\0"


def test_empty_text_has_no_tokens(tokenizer):
    assert tokenizer.encode("", add_special=False, parse_special=True) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [("a\ud800b", "a\ufffdb"), ("\udc00", "\ufffd"), ("\ud83e\udd99", "🦙")],
    ids=["lone", "end", "pair"],
)
def test_surrogates_are_joined_or_replaced(tokenizer, text, meant):
    assert tokenizer.decode(tokenizer.encode(text, add_special=False, parse_special=False)) == meant.encode()


def test_control_text_is_a_token_only_when_asked(tokenizer):
    parsed = tokenizer.encode("<|im_end|>", add_special=False, parse_special=True)
    plain = tokenizer.encode("<|im_end|>", add_special=False, parse_special=False)
    assert parsed == [2]
    assert len(plain) > 1
    assert tokenizer.decode(plain) == b"<|im_end|>"


def test_control_tokens_have_no_bytes(tokenizer):
    assert [tokenizer.token_bytes(token) for token in (0, 1, 2)] == [b"", b"", b""]


def test_end_tokens_are_those_of_the_vocabulary(tokenizer):
    assert {0, 2} <= tokenizer.end_tokens
    assert 1 not in tokenizer.end_tokens


def test_long_tokens_are_whole(tokenizer):
    pieces = [tokenizer.token_bytes(token) for token in range(tokenizer.vocabulary_size)]
    longest = max(pieces, key=len)
    assert len(longest) > 64  # longer than the first buffer
    (token,) = tokenizer.encode(longest.decode(), add_special=False, parse_special=False)
    assert pieces[token] == longest


@pytest.mark.parametrize("token", [-1, 49152])
def test_tokens_outside_the_vocabulary_are_refused(tokenizer, token):
    with pytest.raises(RequestError):
        tokenizer.token_bytes(token)
