import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from camelid.api.timestamps import local_time, now


@pytest.fixture
def zone(monkeypatch):
    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def test_the_present_is_utc():
    before = time.time()
    text = now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z", text)
    assert before - 0.001 <= datetime.fromisoformat(text).timestamp() <= time.time() + 0.001


def test_a_fraction_has_no_zeros_at_its_end(monkeypatch):
    for nanoseconds, fraction in ((123456789, ".123456789"), (100_000_000, ".1"), (5, ".000000005"), (0, "")):
        monkeypatch.setattr(time, "time_ns", lambda value=nanoseconds: 1_787_392_800 * 10**9 + value)
        assert now() == f"2026-08-22T10:00:00{fraction}Z"


def test_other_times_have_the_local_offset(zone):
    zone("Europe/Oslo")
    assert local_time(1_787_392_800.25) == "2026-08-22T12:00:00.25+02:00"
    zone("America/St_Johns")
    assert local_time(1_787_392_800) == "2026-08-22T07:30:00-02:30"
    zone("UTC")
    assert local_time(1_787_392_800) == "2026-08-22T10:00:00Z"


def test_for_ever_is_a_date_in_292_years(zone):
    zone("Asia/Kolkata")
    text = local_time(float("inf"))
    when = datetime.fromisoformat(text)
    assert when.utcoffset() == timedelta(hours=5, minutes=30)
    assert when - datetime.now(UTC) > timedelta(days=292 * 365)
