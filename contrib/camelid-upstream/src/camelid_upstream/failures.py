"""What clients hear of an upstream that refuses, fails or is not there: which one it was, and never a key."""

from typing import Final

import httpx
import msgspec

from camelid.errors import CamelidError, ModelError, RequestError, ServerBusyError
from camelid_upstream.allowed import Upstream

__all__ = ("broken", "no_answer", "refused")

_MOST_LETTERS: Final = 300


class _Error(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Error | str = ""
    message: str = ""


def refused(upstream: Upstream, status: int, body: bytes) -> CamelidError:
    """The error for an HTTP status that is none of success."""
    said = _said(upstream, body)
    match status:
        case 401 | 403:  # what it says may quote the key
            return ModelError(f"{upstream} does not let this server in: {upstream.key_variable} is missing or wrong")
        case 400 | 404 | 413 | 422:
            return RequestError(f"{upstream} refuses the request{said}")
        case 429 | 503:
            return ServerBusyError(f"{upstream} is busy, try again later{said}")
        case _ if 300 <= status < 400:
            return ModelError(f"{upstream} redirects, and redirects are not followed: correct its address")
        case _:
            return ModelError(f"{upstream} failed with HTTP status {status}{said}")


def broken(upstream: Upstream, reason: str) -> ModelError:
    """The error for an answer that is none."""
    return ModelError(f"{upstream} broke off in the middle of its answer", reason=reason)


def no_answer(upstream: Upstream, error: httpx.HTTPError) -> ModelError:
    """The error for a connection that failed."""
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ModelError(f"{upstream} cannot be reached: see whether it runs", reason=reason)
    if isinstance(error, httpx.ReadTimeout):
        return ModelError(
            f"{upstream} said nothing for too long: silence_seconds in backend_options is how long it may",
            reason=reason,
        )
    return broken(upstream, reason)


def _said(upstream: Upstream, body: bytes) -> str:
    """The upstream's own sentence, for the end of ours; short, printable, and without the key."""
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    text = refusal.error if isinstance(refusal.error, str) else refusal.error.message
    text = text or refusal.message
    for header in upstream.headers().values():
        text = text.replace(header.removeprefix("Bearer "), "***")
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return f": {text[:_MOST_LETTERS]}" if text else ""
