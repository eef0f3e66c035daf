import json
import time

import pytest

from camelid.decoding.grammars import Grammars
from camelid.errors import RequestError
from camelid.types.grammar import Grammar


@pytest.fixture
def grammars(toys):
    grammars = Grammars(toys.Tokenizer())
    yield grammars
    grammars.close()


def opened(grammars, grammar):
    """Open as the scheduler does: again and again."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        constraint = grammars.open(grammar)
        if constraint is not None:
            return constraint
        grammars.wait(0.05)
    raise AssertionError("no verdict")


def fault(grammars, grammar):
    with pytest.raises(RequestError) as caught:
        opened(grammars, grammar)
    return caught.value.message


def schema(value):
    return Grammar("json_schema", json.dumps(value))


def test_a_grammar_is_tried_once(grammars):
    assert grammars.open(Grammar("regex", "A+")) is None
    first = opened(grammars, Grammar("regex", "A+"))
    second = grammars.open(Grammar("regex", "A+"))
    assert second is not None
    assert second is not first


def test_a_fault_is_remembered(grammars):
    assert fault(grammars, Grammar("regex", "(")).startswith("invalid format: ")
    with pytest.raises(RequestError, match="unclosed group"):
        grammars.open(Grammar("regex", "("))


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        (schema({"type": 3}), "invalid format: "),
        (Grammar("json_schema", '{"type":'), "EOF while parsing"),
        (Grammar("lark", "start: nowhere"), "nowhere"),
        (
            schema({"allOf": [{"type": "string", "pattern": f"(a|b){{{n}}}c.*d{{{n},50}}"} for n in range(1, 30)]}),
            "complex",
        ),
        (schema({"type": "integer", "multipleOf": 99_999_989}), "complex"),
        (schema({"enum": [f"value {n}" for n in range(100_000)]}), "too big"),
        (schema({"type": "string", "pattern": "^" + "(" * 500 + ")" * 500 + "$"}), "nested"),
    ],
)
def test_faulty_and_hostile_grammars_are_named_in_seconds(grammars, grammar, words):
    message = fault(grammars, grammar)
    assert words in message
    assert len(message) < 400


def test_hostile_grammars_do_not_keep_others_waiting_for_ever(grammars):
    for number in range(3):
        grammars.open(schema({"type": "integer", "multipleOf": 99_999_989 + number}))
    assert opened(grammars, Grammar("regex", "AB?"))


def test_deep_nesting_is_an_answer_of_some_kind(grammars):
    deep: dict[str, object] = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    assert "recursion" in fault(grammars, schema(deep))


def test_json_needs_no_trial(grammars):
    assert grammars.open(Grammar("json")) is not None


def test_only_so_many_are_remembered(grammars):
    opened(grammars, Grammar("regex", "A+"))
    for number in range(40):
        grammars.open(Grammar("json", str(number)))
    assert grammars.open(Grammar("regex", "A+")) is None
