import json

from hypothesis import given
from hypothesis import strategies as st

from camelid.api.encoding import encode, encode_text


def test_what_go_escapes_is_escaped():
    text = "<b>&\u2028\u2029é\u2027"
    assert encode_text(text) == '"\\u003cb\\u003e\\u0026\\u2028\\u2029é\u2027"'.encode()
    assert encode({text: [text]}) == b'{"%b":["%b"]}' % ((encode_text(text)[1:-1],) * 2)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_survives(text):
    assert json.loads(encode_text(text)) == text
