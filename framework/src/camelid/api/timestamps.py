"""Points in time as Go prints them: RFC 3339 with up to nine fraction digits (contract 1.3)."""

import time
from datetime import UTC, datetime

__all__ = ("local_time", "now")

_SECOND_NS = 1_000_000_000
_FOREVER_SECONDS = 2**63 / _SECOND_NS
"""Go's longest duration, about 292 years: how long a model without an end is said to stay."""

_second = (-1, "")
"""The last whole second printed by `now`, and its text: a stream asks many times a second."""


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""


def now() -> str:
    """The present in UTC: `2026-08-22T09:00:01.1Z`."""
    global _second  # noqa: PLW0603 - a cache of one
    seconds, nanoseconds = divmod(time.time_ns(), _SECOND_NS)
    if seconds != _second[0]:
        _second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)))
    return f"{_second[1]}{_fraction(nanoseconds)}Z"


def local_time(epoch: float) -> str:
    """Seconds since 1970 in this machine's time zone: `2026-08-20T10:11:12.131415+02:00`, `Z` for UTC itself.

    Nothing is later than 292 years from now, so that also infinity parses as a date. No more than microseconds are
    printed: a float holds no more.
    """
    printable = min(epoch, time.time() + _FOREVER_SECONDS)
    seconds, microseconds = divmod(round(printable * 1_000_000), 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    offset = moment.strftime("%z")
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{_fraction(microseconds * 1000)}{zone}"
