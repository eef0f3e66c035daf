from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import RequestError
from camelid.types.durations import FOREVER, parse_duration, parse_keep_alive


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("-1s", -1),
        ("+2m", 120),
        ("250ms", 0.25),
        (".5s", 0.5),
        ("3us", 3e-6),
    ],
)
def test_durations_of_go(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("x", 'time: invalid duration "x"'),
        ("-", 'time: invalid duration "-"'),
        ("300", 'time: missing unit in duration "300"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("٣s", 'time: invalid duration "٣s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
    ],
)
def test_what_is_no_duration(text, message):
    with pytest.raises(RequestError) as caught:
        parse_duration(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0),
        ("0s", 0),
        (0.5, 0.5),
        (300, 300),
        ("5m", 300),
        (-1, FOREVER),
        (-0.1, FOREVER),
        ("-1s", FOREVER),
        (1e300, FOREVER),
        (10**400, FOREVER),
        (-(10**400), FOREVER),
        ("99999999h", FOREVER),
    ],
)
def test_keep_alive(value, seconds):
    assert parse_keep_alive(value) == seconds


@pytest.mark.parametrize(("value", "kind"), [(True, "bool"), ([], "[]interface {}"), ({}, "map[string]interface {}")])
def test_keep_alive_of_another_type(value, kind):
    with pytest.raises(RequestError) as caught:
        parse_keep_alive(value)
    assert caught.value.message == f"Unsupported type: '{kind}'"


@given(st.text(alphabet="0123456789.+-hmsuµn", max_size=12))
def test_any_text_is_a_duration_or_refused(text):
    with suppress(RequestError):
        assert isinstance(parse_duration(text), float)
