import pytest

from camelid.cli.request_options import check_duration, parse_format, parse_think
from camelid.errors import RequestError


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("", True), ("false", False), ("high", "high"), ("max", "max")]
)
def test_thinking(text: str, value: bool | str):
    assert parse_think(text) == value


def test_thinking_has_no_other_levels():
    with pytest.raises(RequestError) as caught:
        parse_think("hard")
    assert str(caught.value) == ('invalid value for --think: "hard" (must be true, false, high, medium, low, or max)')


def test_format_is_json_or_a_schema():
    assert parse_format("json") == "json"
    assert parse_format('{"type": "object"}') == {"type": "object"}
    with pytest.raises(RequestError, match="must be json or a JSON schema"):
        parse_format("yaml")


def test_durations_need_a_unit():
    assert check_duration("1h30m") == "1h30m"
    with pytest.raises(RequestError, match='invalid value for --keepalive: "300"'):
        check_duration("300")
