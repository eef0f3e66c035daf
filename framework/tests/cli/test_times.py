from datetime import UTC, datetime, timedelta

import pytest

from camelid.cli.times import elapsed, go_duration, relative_time, remaining_time, until

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (5, "5 seconds"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (3 * 60, "3 minutes"),
        (59 * 60 + 59, "59 minutes"),
        (HOUR, "About an hour"),
        (2 * HOUR, "2 hours"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
    ],
)
def test_elapsed_changes_unit_where_the_contract_says(seconds: float, text: str):
    assert elapsed(seconds) == text


def test_relative_times_look_both_ways():
    assert relative_time(NOW - timedelta(hours=2), NOW) == "2 hours ago"
    assert relative_time(NOW + timedelta(minutes=4, seconds=30), NOW) == "4 minutes from now"


def test_until_knows_forever_and_stopping():
    assert until(datetime(2318, 1, 1, tzinfo=UTC), NOW) == "Forever"
    assert until(NOW - timedelta(seconds=1), NOW) == "Stopping..."
    assert until(NOW + timedelta(minutes=4, seconds=1), NOW) == "4 minutes from now"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (15, "15ns"),
        (1_500, "1.5µs"),
        (4_071_084, "4.071084ms"),
        (439_038_000, "439.038ms"),
        (4_648_158_584, "4.648158584s"),
        (5_000_000_000, "5s"),
        (120_500_000_000, "2m0.5s"),
        (3_600_000_000_000, "1h0m0s"),
        (-1_000_000_000, "-1s"),
    ],
)
def test_durations_as_go_prints_them(nanoseconds: int, text: str):
    assert go_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (52, "52s"),
        (59.6, "1m0s"),
        (62, "1m2s"),
        (3 * HOUR + 4 * 60, "3h4m"),
        (100 * HOUR, "99h+"),
        (float("inf"), "99h+"),
    ],
)
def test_remaining_time(seconds: float, text: str):
    assert remaining_time(seconds) == text
