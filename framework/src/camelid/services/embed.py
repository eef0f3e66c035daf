"""The use case behind every embedding endpoint (contract 6)."""

import asyncio
import time
from typing import Final

import msgspec

from camelid.engine.pool import Pool
from camelid.errors import ModelNotFoundError, PromptTooLongError
from camelid.services.loading import NOT_FOUND, NOT_WHOLE, Models
from camelid.services.vectors import Vector, read_vectors, unit
from camelid.types.events import Purpose
from camelid.types.generation import Timings
from camelid.types.json import JsonObject
from camelid.types.options import parse_options
from camelid.wire.messages import Embedded

__all__ = ("Embed", "EmbedRequest", "Embeddings")

_MANY_NUMBERS: Final = 16_384
"""So many take about a millisecond; more are computed beside the event loop."""


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to embed."""

    model: str
    """As the client sent it."""
    inputs: tuple[str | tuple[int, ...], ...] = ()
    """Texts, or token ids as they are. None: just load the model. An empty text is an input."""
    truncate: bool = True
    """Cut inputs that are too long, instead of refusing them."""
    dimensions: int = 0
    """Keep only so many numbers of each vector; 0 = all."""
    options: JsonObject = {}
    keep_alive: float | None = None
    """Seconds; None = leave it as it is."""
    normalize: bool | None = True
    """Bring each vector to length 1; None = if the model's file does not ask for the opposite (contract 6.2)."""


class Embeddings(msgspec.Struct, frozen=True):
    """The answer."""

    vectors: tuple[Vector, ...]
    """One for each input, in their order: float32 arrays; `tobytes` gives what OpenAI's base64 wants."""
    timings: Timings
    """`prompt_tokens` over all inputs, `load_duration`, `total_duration`; all 0 if nothing was embedded."""


class Embed:
    """Turns texts into vectors."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    async def __call__(self, request: EmbedRequest) -> Embeddings:
        """Embed all inputs, or none of them. Any model may be asked: many generate and embed.

        Raises:
            CamelidError: the request is wrong, the model cannot be loaded or cannot embed.
        """
        started = time.perf_counter_ns()
        if not request.model:
            raise ModelNotFoundError(NOT_FOUND.format(name=""))
        model = await self._models.find(request.model, not_found=NOT_WHOLE)
        options = parse_options(model.stored.params, request.options)
        async with self._pool.lease(model.load_request(options), request.keep_alive, Purpose.EMBED) as lease:
            if not request.inputs:
                return Embeddings((), Timings())
            try:
                embedded = await lease.client.embed(request.inputs, truncate=request.truncate)
            except PromptTooLongError as error:
                raise PromptTooLongError("the input length exceeds the context length", reason=error.reason) from error
            normalize = not model.traits.raw_embeddings if request.normalize is None else request.normalize
            vectors = await _vectors(embedded, normalize=normalize, dimensions=request.dimensions)
            timings = Timings(
                prompt_tokens=embedded.prompt_tokens,
                load_duration=lease.load_duration,
                total_duration=time.perf_counter_ns() - started,
            )
            lease.account.timings = timings
            return Embeddings(vectors, timings)


async def _vectors(embedded: Embedded, *, normalize: bool, dimensions: int) -> tuple[Vector, ...]:
    if len(embedded.vectors) > 4 * _MANY_NUMBERS:
        return await asyncio.to_thread(_finished, embedded, normalize, dimensions)
    return _finished(embedded, normalize, dimensions)


def _finished(embedded: Embedded, normalize: bool, dimensions: int) -> tuple[Vector, ...]:
    vectors = read_vectors(embedded.vectors, embedded.dimensions)
    return tuple(unit(vector, dimensions) for vector in vectors) if normalize else tuple(vectors)
