import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camelid.decoding.text import TextAssembler

letters = st.text(alphabet="ab<é🦙\n", max_size=30)
stops = st.lists(st.text(alphabet="ab<é🦙", min_size=1, max_size=4), max_size=3)
cuts = st.lists(st.integers(1, 5), min_size=1, max_size=20)


def assemble(data: bytes, sizes: list[int], words: list[str]) -> tuple[str, TextAssembler]:
    assembler = TextAssembler(words)
    text, start, turn = "", 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        text += assembler.feed(data[start : start + size])
        start, turn = start + size, turn + 1
    return text + assembler.finish(), assembler


def first_stop(text: str, words: list[str]) -> int:
    """Where the text ends: before the stop string that is complete first."""
    for end in range(1, len(text) + 1):
        found = [len(word) for word in words if text[:end].endswith(word)]
        if found:
            return end - max(found)
    return len(text)


@given(letters, cuts, stops)
def test_any_cutting_gives_the_text_before_the_first_stop_string(text, sizes, words):
    result, assembler = assemble(text.encode(), sizes, words)
    assert result == text[: first_stop(text, words)]
    assert assembler.stopped == any(word in text for word in words)
    assert text.startswith(result + assembler.stop)
    assert not assembler.stop or assembler.stop in words
    assert not any(word in result for word in words)
    assert assembler.released == len(result)


@given(st.text(), cuts)
def test_valid_utf8_comes_out_as_it_went_in(text, sizes):
    assume("�" not in text)
    assert assemble(text.encode(), sizes, [])[0] == text


@given(st.binary(max_size=40), cuts, stops)
def test_invalid_bytes_are_replaced_however_they_are_cut(data, sizes, words):
    text = data.decode("utf-8", "replace")
    assert assemble(data, sizes, words)[0] == text[: first_stop(text, words)]


@given(letters, stops)
def test_only_what_could_become_a_stop_string_is_held_back(text, words):
    assembler = TextAssembler(words)
    released = ""
    for character in text:
        released += assembler.feed(character.encode())
        if assembler.stopped:
            return
        held = text[len(released) : assembler.decoded]
        assert not held or any(word.startswith(held) and word != held for word in words)


def test_held_text_is_released_as_soon_as_it_is_harmless():
    assembler = TextAssembler(["<|end|>"])
    assert [assembler.feed(piece) for piece in (b"Hi ", b"<", b"|e", b"x", b"<|en")] == ["Hi ", "", "", "<|ex", ""]
    assert assembler.finish() == "<|en"


def test_stop_string_across_tokens_is_cut_and_ends_the_text():
    assembler = TextAssembler(["\n\n", "USER:"])
    assert assembler.feed(b"one\n") == "one"
    assert assembler.feed(b"\ntwo") == ""
    assert assembler.stopped
    assert (assembler.released, assembler.decoded) == (3, 8)
    assert assembler.feed(b"three") == ""
    assert assembler.finish() == ""


def test_of_two_stop_strings_complete_at_once_the_longer_counts():
    assert assemble(b"xabc", [1], ["c", "abc"])[0] == "x"
    assert assemble(b"xabc", [4], ["c", "abc"])[0] == "x"


def test_unfinished_character_is_replaced_only_at_the_end():
    assembler = TextAssembler()
    assert assembler.feed("🦙".encode()[:3]) == ""
    assert assembler.finish() == "�"


@pytest.mark.parametrize("words", [[""], ["", ""], []])
def test_empty_stop_strings_stop_nothing(words):
    assert assemble(b"text", [2], words)[0] == "text"
