"""What a handler says about itself for the OpenAPI document, since it reads bodies and writes answers on its own.

Handlers carry it as `opt={"description": Description(...)}`.
"""

from collections.abc import Mapping

import msgspec

__all__ = ("Description",)


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Request and answers of one handler. Its docstring is the summary."""

    body: type[msgspec.Struct] | None = None
    """The JSON object that it reads."""
    upload: bool = False
    """It reads bytes instead."""
    query: Mapping[str, str] = {}
    """Parameters of the query, and what they mean."""
    statuses: tuple[int, ...] = (200,)
    """Of successes."""
    answer: type[msgspec.Struct] | None = None
    """The JSON object that it answers with."""
    lines: type[msgspec.Struct] | None = None
    """The JSON object on each line of a stream."""
    events: type[msgspec.Struct] | None = None
    """The JSON object in each event of a stream; of a stream with several, one that has what they share."""
    text: bool = False
    """It answers with plain text."""
    errors: tuple[int, ...] = ()
    """Statuses of failures, each with an object that says in `error` what to do."""
    error: type[msgspec.Struct] | None = None
    """That object, if it is not the one of Ollama's own API."""
