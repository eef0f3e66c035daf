from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.prompts.tool_calls.harmony import HarmonyParser
from camelid.types.messages import Function, Tool

TOOLS = (Tool(Function("search")), Tool(Function("now")))
PROMPT = "<|start|>system<|message|>Hi<|end|><|start|>user<|message|>Q<|end|><|start|>assistant"

CORPUS = [
    (
        PROMPT,
        "<|channel|>analysis<|message|>Hm, easy.<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>",
        ("Hm, easy.", "Four.", []),
    ),
    (
        PROMPT,
        (
            "<|channel|>analysis<|message|>Ask.<|end|><|start|>assistant<|channel|>commentary to=functions.search "
            '<|constrain|>json<|message|>{"query": "a"}<|call|>'
        ),
        ("Ask.", "", [("search", {"query": "a"})]),
    ),
    # The end token <|call|> is not part of what a worker sends.
    (
        PROMPT,
        (
            "<|channel|>commentary<|message|>First the time.<|end|><|start|>assistant<|channel|>commentary "
            "to=functions.now<|message|>{}<|end|><|start|>assistant<|channel|>commentary to=search json<|message|>"
            '{"query": "b"}'
        ),
        ("", "First the time.", [("now", {}), ("search", {"query": "b"})]),
    ),
    (PROMPT, ' to=functions.search<|channel|>commentary json<|message|>{"q": 1}', ("", "", [("search", {"q": 1})])),
    (PROMPT, "<|channel|>commentary to=functions.now<|message|>", ("", "", [("now", {})])),
    (PROMPT, "<|channel|>commentary to=functions.later<|message|>{}<|call|>", ("", "{}", [])),
    (PROMPT, "<|channel|>analysis to=browser.open code<|message|>{1}<|call|>", ("{1}", "", [])),
    (PROMPT, '<|channel|>commentary to=functions.search<|message|>{"query', ("", '{"query', [])),
    (PROMPT, "<|channel|>analysis<|message|>a<|channel|>final<|message|>b", ("a", "b", [])),
    (PROMPT, "<|channel|>final<|message|>a < b <|x", ("", "a < b <|x", [])),
    (PROMPT, "Four.", ("", "Four.", [])),
    (PROMPT, "  Four.<|end|>\n", ("", "  Four.", [])),
    (PROMPT, "<|channel|>ana", ("", "", [])),
    (PROMPT, "<|message|>Four.", ("", "Four.", [])),
    (
        PROMPT + "<|channel|>analysis<|message|>So",
        "me.<|end|><|start|>assistant<|channel|>final<|message|>b",
        ("me.", "b", []),
    ),
    (PROMPT + "<|channel|>commentary to=functions.search<|message|>{", '"q": 1}', ("", "", [("search", {"q": 1})])),
    (PROMPT + "<|channel|>final<|message|>Done.<|end|>", "<|channel|>final<|message|>a", ("", "a", [])),
    ("", "<|channel|>final<|message|>a", ("", "a", [])),
]
"""Prompt, output, what is in it."""


def read(prompt, pieces):
    parser = HarmonyParser(TOOLS, prompt)
    found = [each for piece in pieces for each in parser.feed(piece)] + parser.finish()
    calls = [call.function for each in found for call in each.calls]
    assert [call.index for call in calls] == list(range(len(calls)))
    return (
        "".join(each.thinking for each in found),
        "".join(each.content for each in found),
        [(call.name, call.arguments) for call in calls],
    )


@pytest.mark.parametrize(("prompt", "text", "expected"), CORPUS)
def test_what_is_read(prompt, text, expected):
    assert read(prompt, [text]) == expected
    assert read(prompt, list(text)) == expected


@settings(deadline=None, max_examples=200)
@given(case=st.sampled_from([case[:2] for case in CORPUS]), places=st.lists(st.integers(0, 300), max_size=10))
def test_where_the_stream_is_cut_does_not_matter(case, places):
    prompt, text = case
    edges = sorted({0, len(text), *(min(place, len(text)) for place in places)})
    assert read(prompt, [text[start:end] for start, end in pairwise(edges)]) == read(prompt, [text])
