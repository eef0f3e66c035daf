"""Paged models: the runtime's dynamic `Engine` batches by itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import msgspec

from camelid import Engine, EngineEvent, EngineRequest
from camelid.errors import CamelidError, ModelError, UnsupportedCapabilityError
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions

__all__ = ("GenaiEngine", "NativeEngine", "NativeEvent")

_DEFAULTS: Final = SamplingOptions()
_UNKNOWN_OPTIONS: Final = ("min_p", "typical_p", "presence_penalty", "frequency_penalty")
"""Of `SamplingOptions`: the runtime samples, and knows none of these."""


class NativeEvent(msgspec.Struct, frozen=True):
    """What the runtime says of one request."""

    id: int
    tokens: tuple[int, ...] = ()
    finish: FinishReason | None = None
    failure: str = ""
    """Why it failed; empty if it did not."""


class NativeEngine(ABC):
    """The runtime's `Engine`, in one of the two shapes that it has had."""

    @abstractmethod
    def start(self, id: int, prompt: tuple[int, ...], sampling: SamplingOptions, room: int) -> None:  # noqa: A002
        """Begin a request.

        Args:
            id: unique among those that run.
            prompt: token ids.
            sampling: how tokens are chosen.
            room: tokens that it may generate.

        Raises:
            RuntimeError: the runtime refuses.
        """

    @abstractmethod
    def run(self) -> list[NativeEvent]:
        """Advance every request by about one token.

        Raises:
            RuntimeError: the runtime failed; nothing is known of any request.
        """

    @abstractmethod
    def stop(self, id: int) -> None:  # noqa: A002 - the contract's name
        """Drop a request, finished or not."""


class GenaiEngine(Engine):
    """Hands requests to the runtime, and its tokens back."""

    def __init__(
        self,
        native: Callable[[], NativeEngine],
        context_length: int,
        end_tokens: frozenset[int],
        failure: Callable[[Exception], ModelError],
    ) -> None:
        """Start the runtime's engine.

        Args:
            native: makes it; again, should it fail.
            context_length: tokens of one request.
            end_tokens: ids that end an answer, and are no part of it.
            failure: makes errors of what the runtime raises.
        """
        self._new = native
        self._native = native()
        self._context = context_length
        self._end_tokens = end_tokens
        self._failure = failure
        self._running: set[int] = set()
        self._refusals: list[EngineEvent] = []

    @property
    def context_length(self) -> int:
        """As loaded."""
        return self._context

    @property
    def busy(self) -> bool:
        """Whether any request is open."""
        return bool(self._running or self._refusals)

    def submit(self, request: EngineRequest) -> None:
        """Begin, unless something is asked for that the runtime does not know."""
        sampling = request.sampling
        room = self._context - len(request.prompt)
        if sampling.num_predict > 0:
            room = min(room, sampling.num_predict)
        unknown = [name for name in _UNKNOWN_OPTIONS if getattr(sampling, name) != getattr(_DEFAULTS, name)]
        error: CamelidError | None = None
        if unknown:
            error = UnsupportedCapabilityError(
                f"this model is computed by ONNX Runtime's own engine, which has no {', '.join(unknown)}: leave it out"
            )
        else:
            try:
                self._native.start(request.id, request.prompt, sampling, room)
            except RuntimeError as raised:
                error = self._failure(raised)
        if error is None:
            self._running.add(request.id)
        else:
            self._refusals.append(EngineEvent(request.id, error=error))

    def step(self) -> list[EngineEvent]:
        """Whatever the runtime computes next; when it fails, all that run fail, and it begins anew."""
        events, self._refusals = self._refusals, []
        if not self._running:
            return events
        try:
            found = self._native.run()
        except RuntimeError as raised:
            error = self._failure(raised)
            events += [EngineEvent(id, error=error) for id in sorted(self._running)]  # noqa: A001 - the field's name
            self._running.clear()
            self._native = self._new()
            return events
        for event in found:
            if event.id in self._running:
                events.append(self._event(event))
        return events

    def cancel(self, id: int) -> None:  # noqa: A002 - the contract's name
        """Drop it."""
        self._refusals = [event for event in self._refusals if event.id != id]
        if id in self._running:
            self._running.discard(id)
            self._native.stop(id)

    def close(self) -> None:
        """Drop everything."""
        for request in tuple(self._running):
            self.cancel(request)

    def _event(self, event: NativeEvent) -> EngineEvent:
        ended = any(token in self._end_tokens for token in event.tokens)
        tokens = [token for token in event.tokens if token not in self._end_tokens]
        made = EngineEvent(event.id, tokens, finish=FinishReason.STOP if ended else event.finish)
        if event.failure:
            made.finish, made.error = None, self._failure(RuntimeError(event.failure))
        if made.finish or made.error:
            self._running.discard(event.id)
            self._native.stop(event.id)
        return made
