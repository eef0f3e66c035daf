import pytest

from camelid.contracts.answers.typed_text import typed

ANY = {"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "array"}]}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("3", {"type": "integer"}, 3),
        (" 3 ", {"type": ["string", "integer"]}, 3),
        ("3", {"type": "string"}, "3"),
        ("3", {}, "3"),
        ("3", None, "3"),
        ("3.0", {"type": "integer"}, 3.0),
        ("3.5", {"type": "integer"}, "3.5"),
        ("true", {"type": "boolean"}, True),
        ("True", {"type": "boolean"}, True),
        ("None", ANY, None),
        ("['a', True]", ANY, ["a", True]),
        ('["a", true]', ANY, ["a", True]),
        ("{'a': None}", {"type": "object"}, {"a": None}),
        ("{'a', 'b'}", ANY, "{'a', 'b'}"),
        ("open('x')", ANY, "open('x')"),
        ("[" * 300, ANY, "[" * 300),
        ("1j", {"type": "number"}, "1j"),
        ("", {"type": "integer"}, ""),
    ],
)
def test_the_schema_decides(text, schema, value):
    found = typed(text, schema)
    assert found == value
    assert type(found) is type(value)
