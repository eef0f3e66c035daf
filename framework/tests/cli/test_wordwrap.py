from hypothesis import given
from hypothesis import strategies as st

from camelid.cli.wordwrap import WordWrap


def wrapped(pieces: list[str], width: int) -> str:
    wrap = WordWrap(width)
    return "".join(wrap.feed(piece) for piece in pieces) + wrap.finish()


def test_lines_break_between_words():
    assert wrapped(["the quick brown fox jumps"], 10) == "the quick\nbrown fox\njumps"


def test_a_word_in_pieces_is_not_torn():
    assert wrapped(["the qu", "ick bro", "wn fox"], 10) == "the quick\nbrown fox"


def test_a_word_wider_than_the_line_is_cut_at_the_width():
    assert wrapped(["abcdefghijklm"], 5) == "abcde\nfghij\nklm"


def test_own_line_ends_and_indentation_stay():
    assert wrapped(["a:\n    b = 1\n\n  c"], 20) == "a:\n    b = 1\n\n  c"


def test_wide_characters_count_twice_and_may_break_anywhere():
    assert wrapped(["天空为什么是蓝色"], 8) == "天空为什\n么是蓝色"


def test_width_zero_changes_nothing():
    assert wrapped(["a very long line " * 20], 0) == "a very long line " * 20


@given(st.lists(st.text(alphabet="ab天 \n\t"), max_size=20), st.integers(min_value=2, max_value=20))
def test_wrapping_only_trades_blanks_for_line_ends(pieces: list[str], width: int):
    """Every character that is no blank survives in order, however the text was cut into pieces."""
    text = "".join(pieces)
    result = wrapped(pieces, width)
    assert "".join(result.split()) == "".join(text.split())
    assert result == wrapped([text], width)
