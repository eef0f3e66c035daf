import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.api.json_syntax import first_value
from camelid.errors import RequestError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([b"", b" ", b"garbage", b"{", b"]", b'"']), st.booleans())
def test_the_first_value_is_found_whatever_follows(value, rest, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    separator = b" " if text[-1:].isdigit() else b""
    assert first_value(b"\r\n " + text + separator + rest) == text


@given(st.binary(max_size=40))
def test_any_bytes_end_in_a_value_or_an_error(text):
    try:
        found = first_value(text)
    except RequestError as error:
        found = b"null"
        message = error.message
    else:
        message = "unexpected EOF"
    json.loads(found.decode("utf-8", "replace"))
    assert message.startswith(("invalid character", "unexpected EOF"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "invalid character 'h' looking for beginning of value"),
        ("{model}", "invalid character 'm' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("[01]", "invalid character '1' after array element"),
        ('"a\nb"', r"invalid character '\n' in string literal"),
        ('"a\x01b"', r"invalid character '\x01' in string literal"),
        (r'"\q"', "invalid character 'q' in string escape code"),
        (r'"\u00g0"', r"invalid character 'g' in \u hexadecimal character escape"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("[trux]", "invalid character 'x' in literal true (expecting 'e')"),
        ("['a']", r"invalid character '\'' looking for beginning of value"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ('{"model": "x', "unexpected EOF"),
        ('{"model"', "unexpected EOF"),
        ("[1,", "unexpected EOF"),
        ("nul", "unexpected EOF"),
        ("-", "unexpected EOF"),
        ('"\\u00', "unexpected EOF"),
        ("[" * 10_001, "exceeded max depth"),
    ],
)
def test_malformed_json_is_described_as_go_does(text, message):
    with pytest.raises(RequestError) as caught:
        first_value(text.encode())
    assert caught.value.message == message
