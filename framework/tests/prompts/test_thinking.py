from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.contracts.answers.parser import Parsed
from camelid.prompts.thinking import ThinkingSplitter

TAGS = ("<think>", "</think>")

# Mostly pieces of tags and white space, so that tags come up whole, broken and repeated.
TEXTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think", ">", " ", "\n", "a", "é", "<thi", "nk>", "<<think>"]),
    max_size=12,
).map("".join)


def split(splitter: ThinkingSplitter, pieces: list[str]) -> Parsed:
    parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.finish()
    return Parsed("".join(part.thinking for part in parts), "".join(part.content for part in parts))


@pytest.mark.parametrize(
    ("text", "thinking", "content"),
    [
        ("Hello", "", "Hello"),
        ("", "", ""),
        ("<think>hm</think>Hi", "hm", "Hi"),
        (" \n<think>\n hm \n</think>\n\n Hi \n", "hm \n", "Hi \n"),
        ("<think></think>Hi", "", "Hi"),
        ("<think>hm", "hm", ""),
        ("<think>hm</thi", "hm</thi", ""),
        ("<think>a</think>b</think>c<think>d", "a", "b</think>c<think>d"),
        ("Well: <think>hm</think>", "", "Well: <think>hm</think>"),
        ("  Hello", "", "  Hello"),
        ("  <thi", "", "  <thi"),
        (" \n ", "", " \n "),
        ("<thick>", "", "<thick>"),
    ],
)
def test_the_split(text, thinking, content):
    assert split(ThinkingSplitter(*TAGS), [text]) == Parsed(thinking, content)


@pytest.mark.parametrize(
    ("text", "thinking", "content"),
    [
        ("\nhm</think>\n\nHi", "hm", "Hi"),
        ("hm", "hm", ""),
        (" <think>hm</think>", "hm", ""),
    ],
)
def test_a_prompt_may_have_opened_the_thinking(text, thinking, content):
    inside = ThinkingSplitter.after("<|im_start|>assistant\n<think>\n", TAGS)
    assert split(inside, [text]) == Parsed(thinking, content)


@pytest.mark.parametrize("prompt", ["", "<|im_start|>assistant\n", "<think>\n\n</think>\n\n"])
def test_other_prompts_leave_it_closed(prompt):
    assert split(ThinkingSplitter.after(prompt, TAGS), ["hm</think>Hi"]) == Parsed("", "hm</think>Hi")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Q", Parsed("hm", "Hi")),
        ("Q<think>\n", Parsed("hm", "Hi")),
        ("Q<think>\n\n</think>\n\n", Parsed("", "hm</think>Hi")),
    ],
)
def test_some_models_think_from_their_first_word(prompt, expected):
    assert split(ThinkingSplitter.after(prompt, TAGS, begun=True), ["hm</think>Hi"]) == expected


@settings(deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=8), inside=st.booleans())
def test_where_the_stream_is_cut_does_not_matter(text, cuts, inside):
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    whole = split(ThinkingSplitter(*TAGS, starts_inside=inside), [text])
    assert split(ThinkingSplitter(*TAGS, starts_inside=inside), pieces) == whole
    assert split(ThinkingSplitter(*TAGS, starts_inside=inside), list(text)) == whole


@given(
    thinking=st.text(st.sampled_from("ab <>/tk\n"), max_size=20),
    content=st.text(st.sampled_from("ab <>/"), max_size=20),
)
def test_every_letter_arrives_once(thinking, content):
    expected = Parsed(thinking.lstrip(), content.lstrip())
    assert split(ThinkingSplitter("[T]", "[/T]"), list(f"[T]{thinking}[/T]{content}")) == expected


def test_content_is_not_held_back():
    splitter = ThinkingSplitter(*TAGS)
    assert splitter.feed("<think>a") == [Parsed(thinking="a")]
    assert splitter.feed("b</") == [Parsed(thinking="b")]
    assert splitter.feed("x") == [Parsed(thinking="</x")]
    assert splitter.feed("</think>c<") == [Parsed(content="c<")]


def test_tags_must_be_something():
    with pytest.raises(ValueError, match="empty"):
        ThinkingSplitter("", "</think>")


def test_white_space_after_a_closing_tag_of_the_prompt_is_dropped():
    splitter = ThinkingSplitter.after("Q?<answer></think>", ("<think>", "</think>"))
    parts = [part for letter in "\n\n So. " for part in splitter.feed(letter)] + splitter.finish()
    assert "".join(part.content for part in parts) == "So. "
