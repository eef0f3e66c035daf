"""One thing that was looked at."""

from enum import StrEnum

import msgspec

__all__ = ("Finding", "Status", "note", "ok", "problem")


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing is wrong."""
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """A line of the report."""

    status: Status
    subject: str
    message: str
    """A sentence that says what is so, and what to do if it is a problem."""


def ok(subject: str, message: str) -> Finding:
    """All is well."""
    return Finding(Status.OK, subject, message)


def note(subject: str, message: str) -> Finding:
    """Nothing is wrong, but somebody may wonder."""
    return Finding(Status.NOTE, subject, message)


def problem(subject: str, message: str) -> Finding:
    """Something does not work."""
    return Finding(Status.PROBLEM, subject, message)
