"""The journal over HTTP."""

import msgspec

from camelid import HttpRequest, HttpResponse
from camelid.errors import RequestError
from camelid_journal.journal import Journal

__all__ = ("usage_page",)


def usage_page(request: HttpRequest) -> HttpResponse:
    """Usage by model and backend, as JSON; `?days=7` looks back a week."""
    text = dict(request.query).get("days", "0")
    try:
        days = float(text)
    except ValueError as error:
        raise RequestError(f"days must be a number, not {text!r}") from error
    return HttpResponse(msgspec.json.encode({"usage": Journal().usage(days)}))
