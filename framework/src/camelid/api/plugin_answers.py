"""What is wrong with an answer of a plugin's handler: Structs do not check what they are made of."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

from camelid.contracts.route import HttpResponse

__all__ = ("answer_problem",)

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""Without line ends, which would begin another header, or another answer."""
_SERVERS_OWN: Final = frozenset({"connection", "content-length", "content-type", "transfer-encoding"})
"""They say where an answer ends, or have a field of their own."""


def answer_problem(answer: object) -> str:
    """What is wrong, as the end of a sentence; empty if nothing is."""
    if not isinstance(answer, HttpResponse):
        return f"returned a {type(answer).__name__}, not an HttpResponse"
    body: object = answer.body
    status: object = answer.status
    headers: object = answer.headers
    if not isinstance(body, (bytes, AsyncIterator)):
        return f"returned a body that is a {type(body).__name__}, not bytes or an asynchronous iterator of them"
    if not isinstance(status, int) or not 200 <= status <= 599:
        return f"returned the status {status!r:.100}, which is none of an answer"
    if not isinstance(headers, Mapping):
        return f"returned headers that are a {type(headers).__name__}, not names and values"
    return _headers_problem(headers, answer.content_type)


def _headers_problem(headers: Mapping[object, object], content_type: object) -> str:
    for name, value in (*headers.items(), ("content-type", content_type)):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return f"returned the header {name!r:.100}, which is no name"
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            return f"returned the header {name} with {value!r:.100}, which is no value"
    taken = sorted(_SERVERS_OWN.intersection(str(name).lower() for name in headers))
    return f"returned the header {taken[0]}, which the server writes" if taken else ""
