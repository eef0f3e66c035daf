"""Moments and durations as people read them (contract 19.2, 19.3, 19.5, 19.6)."""

from datetime import datetime

__all__ = ("elapsed", "go_duration", "relative_time", "remaining_time", "until")

_HOUR = 3600
_TWENTY_YEARS = 20 * 365 * 24 * _HOUR


def elapsed(seconds: float) -> str:
    """A length of time in its largest sensible unit: `5 seconds`, `About an hour`, `3 weeks`.

    Args:
        seconds: not negative.
    """
    minutes, hours = int(seconds / 60), int(seconds / _HOUR + 0.5)
    for below, text in (
        (1, "Less than a second"),
        (2, "1 second"),
        (60, f"{int(seconds)} seconds"),
        (120, "About a minute"),
        (_HOUR, f"{minutes} minutes"),
    ):
        if seconds < below:
            return text
    for below, text in (
        (2, "About an hour"),
        (48, f"{hours} hours"),
        (14 * 24, f"{hours // 24} days"),
        (60 * 24, f"{hours // 24 // 7} weeks"),
        (2 * 365 * 24, f"{hours // 24 // 30} months"),
    ):
        if hours < below:
            return text
    return f"{int(seconds / _HOUR) // 24 // 365} years"


def relative_time(moment: datetime, now: datetime) -> str:
    """`2 hours ago`, `4 minutes from now`. Both moments know their time zone."""
    seconds = (now - moment).total_seconds()
    return f"{elapsed(seconds)} ago" if seconds >= 0 else f"{elapsed(-seconds)} from now"


def until(moment: datetime, now: datetime) -> str:
    """When a loaded model goes: `4 minutes from now`, `Forever` (over 20 years), `Stopping...` (already past)."""
    seconds = (moment - now).total_seconds()
    if seconds > _TWENTY_YEARS:
        return "Forever"
    return "Stopping..." if seconds < 0 else relative_time(moment, now)


def go_duration(nanoseconds: int) -> str:
    """A duration as Go prints it: `1.5s`, `4.071084ms`, `2m0.5s`, `1h0m0s`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for below, unit, name in ((1_000, 1, "ns"), (1_000_000, 1_000, "µs"), (1_000_000_000, 1_000_000, "ms")):
        if rest < below:
            return f"{sign}{_fraction(rest, unit)}{name}"
    minutes, rest = divmod(rest, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_fraction(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _fraction(amount: int, unit: int) -> str:
    """`amount / unit`, exactly, without trailing zeros."""
    whole, part = divmod(amount, unit)
    digits = str(part).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def remaining_time(seconds: float) -> str:
    """What a transfer still needs: `52s`, `1m2s`, `3h4m`, `99h+`."""
    if seconds >= 100 * _HOUR - 0.5:
        return "99h+"
    whole = int(seconds + 0.5)
    if whole >= _HOUR:
        return f"{whole // _HOUR}h{whole % _HOUR // 60}m"
    return f"{whole // 60}m{whole % 60}s" if whole >= 60 else f"{whole}s"
