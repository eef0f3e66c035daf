import msgspec
import pytest

from camelid.errors import InvalidOptionError, RequestError
from camelid.prompts.thinking import ThinkingSplitter
from camelid.services.formats import answer_grammar, check_format
from camelid.types.grammar import Grammar


@pytest.mark.parametrize("value", [None, "", "json", {}, {"type": "object", "properties": {}}])
def test_what_is_a_format(value):
    check_format(value)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("xml", r'"\"xml\""'), (3, '"3"'), (True, '"true"'), ([], '"[]"'), ([{"a": "ä"}], r'"[{\"a\": \"ä\"}]"')],
)
def test_what_is_none(value, quoted):
    with pytest.raises(InvalidOptionError) as caught:
        check_format(value)
    assert caught.value.message == f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'


def test_a_schema_has_a_size():
    with pytest.raises(RequestError, match="more than 1000000 bytes") as caught:
        check_format({"enum": ["x" * 1_000_000]})
    assert caught.value.status == 400


def test_no_format_is_no_grammar():
    assert answer_grammar(None, None) is None
    assert answer_grammar("", None) is None


def test_a_schema_keeps_the_order_of_its_properties():
    schema = {"properties": {"z": {"type": "null"}, "a": {"const": "ä"}}, "additionalProperties": True}
    assert answer_grammar(schema, None) == Grammar(
        "json_schema", '{"properties":{"z":{"type":"null"},"a":{"const":"ä"}},"additionalProperties":true}'
    )
    assert answer_grammar({}, None) == Grammar("json_schema", "{}")


def test_thoughts_come_first_where_they_are_taken_out():
    tags = ("<t>", "</t>")
    assert answer_grammar("json", None) == Grammar("json")
    assert answer_grammar("json", ThinkingSplitter.after("Hi", tags)) == Grammar("json", thinking=tags)
    assert answer_grammar("json", ThinkingSplitter.after("Hi<t>\n", tags)) == Grammar("json", thinking=("", "</t>"))


def _as_sent(schema):
    return msgspec.json.decode(answer_grammar(schema, None).text)


def test_objects_have_only_the_properties_they_list():
    inner = {"properties": {"properties": {"type": "string"}}}
    schema = {"properties": {"list": {"items": inner}}, "$defs": {"one": inner}, "anyOf": [inner]}
    closed = {**inner, "additionalProperties": False}
    assert _as_sent(schema) == {
        "properties": {"list": {"items": closed}},
        "$defs": {"one": closed},
        "anyOf": [closed],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"properties": {}, "additionalProperties": {"type": "string"}},
        {"enum": [{"properties": {}}], "const": {"properties": {}}},
        {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
    ],
)
def test_what_lists_none_or_says_otherwise_stays_open(schema):
    assert _as_sent(schema) == schema
