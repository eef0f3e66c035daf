import json

from hypothesis import given
from hypothesis import strategies as st

from camelid.contracts.answers.scanner import Scanner


def run(steps, scanner, text):
    """Run steps over a text that comes character by character; return their result and what they left."""
    pending = list(text)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            scanner.end()
            return stop.value
        if pending:
            scanner.feed(pending.pop(0))
        else:
            scanner.end()


@given(text=st.text(st.sampled_from("ab<>"), max_size=20))
def test_the_first_tag_ends_the_text_even_if_another_began_before_it_in_vain(text):
    scanner = Scanner()
    before, tag = run(scanner.until("<ab>", "b<", "a>"), scanner, text)
    places = [(text.find(each), each) for each in ("<ab>", "b<", "a>") if each in text]
    place, expected = min(places, default=(len(text), ""))
    assert (before, tag) == (text[:place], expected)


@given(value=st.recursive(st.none() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)))
def test_json_ends_where_its_bracket_closes(value):
    text = json.dumps([value])
    scanner = Scanner()
    assert run(scanner.json(), scanner, text + "]}") == text


def test_what_was_taken_since_the_mark_can_be_read_again():
    scanner = Scanner()
    scanner.mark("<")
    assert run(scanner.until(";"), scanner, "ab;") == ("ab", ";")
    scanner.put_back(scanner.marked())
    assert run(scanner.rest(), scanner, "") == "<ab;"


def test_what_comes_before_some_characters_stays_apart_from_them():
    scanner = Scanner()
    assert run(scanner.before("{["), scanner, "ab[{") == "ab"
    assert run(scanner.rest(), scanner, "") == "["
