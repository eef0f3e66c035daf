"""Texts as a model reads them: tokens of a text, and back. Ollama has neither."""

import time

import msgspec

from camelid.engine.pool import Lease, Pool
from camelid.errors import RequestError
from camelid.services.loading import Models
from camelid.types.events import Purpose
from camelid.types.generation import Timings
from camelid.types.json import JsonObject
from camelid.types.options import parse_options

__all__ = ("Detokenize", "DetokenizeRequest", "Detokenized", "Tokenize", "TokenizeRequest", "Tokenized")


class TokenizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to tokenize."""

    model: str
    """As the client sent it."""
    text: str = ""
    add_special: bool = False
    """Put the model's begin (and end) tokens around the text, if it wants them."""
    parse_special: bool = True
    """Read the text of control tokens (`<|im_end|>`) as those tokens."""
    options: JsonObject = {}
    keep_alive: float | None = None
    """Seconds; None = leave it as it is."""


class Tokenized(msgspec.Struct, frozen=True):
    """The answer."""

    tokens: tuple[int, ...]
    timings: Timings
    """`load_duration` and `total_duration`."""


class DetokenizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens to turn into text."""

    model: str
    """As the client sent it."""
    tokens: tuple[int, ...] = ()
    options: JsonObject = {}
    keep_alive: float | None = None
    """Seconds; None = leave it as it is."""


class Detokenized(msgspec.Struct, frozen=True):
    """The answer."""

    text: str
    """Control tokens are no text; bytes that are no UTF-8 are U+FFFD."""
    timings: Timings
    """`load_duration` and `total_duration`."""


class Tokenize:
    """Turns texts into tokens."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    async def __call__(self, request: TokenizeRequest) -> Tokenized:
        """Tokenize; any model may be asked, and is loaded for it.

        Raises:
            CamelidError: the request is wrong, or the model cannot be loaded.
        """
        started = time.perf_counter_ns()
        if not request.model:
            raise RequestError("model is required")
        model = await self._models.find(request.model)
        options = parse_options(model.stored.params, request.options)
        async with self._pool.lease(model.load_request(options), request.keep_alive, Purpose.TOKENIZE) as lease:
            tokens = await lease.client.tokenize(
                request.text, add_special=request.add_special, parse_special=request.parse_special
            )
            return Tokenized(tokens, _timings(lease, started))


class Detokenize:
    """Turns tokens into text."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    async def __call__(self, request: DetokenizeRequest) -> Detokenized:
        """Detokenize; any model may be asked, and is loaded for it.

        Raises:
            RequestError: the model has no such token.
            CamelidError: the request is wrong otherwise, or the model cannot be loaded.
        """
        started = time.perf_counter_ns()
        if not request.model:
            raise RequestError("model is required")
        model = await self._models.find(request.model)
        options = parse_options(model.stored.params, request.options)
        async with self._pool.lease(model.load_request(options), request.keep_alive, Purpose.TOKENIZE) as lease:
            text = await lease.client.detokenize(request.tokens)
            return Detokenized(text, _timings(lease, started))


def _timings(lease: Lease, started: int) -> Timings:
    return Timings(load_duration=lease.load_duration, total_duration=time.perf_counter_ns() - started)
