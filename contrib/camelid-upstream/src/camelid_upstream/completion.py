"""One request to `/v1/completions`, and the pieces of its answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import httpx
import msgspec

from camelid.types.generation import FinishReason
from camelid.types.json import JsonObject
from camelid.types.options import SamplingOptions
from camelid_upstream.allowed import Upstream
from camelid_upstream.events import EventReader, OversizedError
from camelid_upstream.failures import broken, no_answer, refused
from camelid_upstream.model_file import UpstreamFile, extra_fields

__all__ = ("Piece", "complete", "request_body")

_DONE: Final = b"[DONE]"
_MOST_OF_A_REFUSAL: Final = 1 << 16


class Piece(msgspec.Struct, frozen=True):
    """What came next."""

    text: str
    finish: FinishReason | None = None
    """With the last piece."""


class _Choice(msgspec.Struct):
    text: str | None = None
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    choices: tuple[_Choice, ...] = ()
    error: object = None


def request_body(file: UpstreamFile, prompt: str, sampling: SamplingOptions, room: int) -> JsonObject:
    """What is sent.

    Args:
        file: the model's.
        prompt: rendered by this server.
        sampling: what a client, the model or the server wants. Stop strings are looked for here.
        room: bytes that the answer may have; it has no more tokens than that.
    """
    body: JsonObject = {
        "model": file.model,
        "prompt": prompt,
        "stream": True,
        "max_tokens": min(room, sampling.num_predict if sampling.num_predict > 0 else file.max_tokens),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        **extra_fields(file.accepts, sampling),
    }
    return body if sampling.seed < 0 else {**body, "seed": sampling.seed}


async def complete(http: httpx.AsyncClient, upstream: Upstream, body: JsonObject) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer as they come; the last one has `finish`. Closing the iterator closes the connection.

    Raises:
        CamelidError: the upstream refused, failed, broke off, or is not there.
    """
    try:
        async with http.stream("POST", "/v1/completions", json=body) as response:
            if response.status_code != httpx.codes.OK:
                raise refused(upstream, response.status_code, await _beginning(response.aiter_raw()))
            async with aclosing(_pieces(upstream, response.aiter_raw())) as pieces:
                async for piece in pieces:
                    yield piece
                    if piece.finish:
                        return
    except httpx.HTTPError as error:
        raise no_answer(upstream, error) from error
    raise broken(upstream, "the stream ended without a finish_reason")


async def _beginning(stream: AsyncIterator[bytes]) -> bytes:
    content = b""
    async for piece in stream:
        content += piece
        if len(content) > _MOST_OF_A_REFUSAL:
            break
    return content[:_MOST_OF_A_REFUSAL]


async def _pieces(upstream: Upstream, stream: AsyncIterator[bytes]) -> AsyncGenerator[Piece, None]:
    """What each read brings, as one piece."""
    reader = EventReader()
    async for received in stream:
        text, finish = "", None
        try:
            for data in reader.feed(received):
                if data != _DONE and finish is None:
                    more, finish = _read(upstream, data)
                    text += more
        except (OversizedError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise broken(upstream, f"it sent something that is no event: {error}") from error
        if text or finish:
            yield Piece(text, finish)


def _read(upstream: Upstream, data: bytes) -> tuple[str, FinishReason | None]:
    event = msgspec.json.decode(data, type=_Event)
    if event.error is not None:  # the status was sent long ago
        raise refused(upstream, httpx.codes.INTERNAL_SERVER_ERROR, data)
    if not event.choices:
        return "", None
    text, reason = event.choices[0].text or "", event.choices[0].finish_reason
    if not reason:
        return text, None
    return text, FinishReason.LENGTH if reason == "length" else FinishReason.STOP
