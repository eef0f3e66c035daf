"""The two shapes of the runtime's `Engine`: by turns, since 0.16, and by steps, before."""

from contextlib import suppress
from types import ModuleType
from typing import Any, Final, TypeAlias

import numpy as np

from camelid.types.generation import FinishReason
from camelid.types.json import JsonObject
from camelid.types.options import SamplingOptions
from camelid_onnx.engine import NativeEngine, NativeEvent

__all__ = ("new_engine",)

_Native: TypeAlias = Any
"""An object of the runtime: the library has no types."""

_EVENTS: Final = 256
"""Events that one run may bring."""
_SEEDS: Final = 2**31


def new_engine(genai: ModuleType, model: _Native) -> NativeEngine:
    """An engine in the shape that the installed library has."""
    return _Turns(genai, model) if hasattr(genai.Engine, "create_request") else _Steps(genai, model)


class _Turns(NativeEngine):
    """Requests have turns; a run brings events."""

    def __init__(self, genai: ModuleType, model: _Native) -> None:
        self._genai = genai
        self._engine = genai.Engine(model)
        self._buffer = self._engine.create_event_buffer(_EVENTS)
        self._requests: dict[int, tuple[_Native, int]] = {}
        self._flags = genai.EngineEventFlags

    def start(self, id: int, prompt: tuple[int, ...], sampling: SamplingOptions, room: int) -> None:  # noqa: A002
        """Begin a request's only turn."""
        request = self._engine.create_request()
        options = self._genai.TurnOptions(request)
        options.set_max_generated_tokens(room)
        options.set_do_sample(sampling.temperature > 0)
        if sampling.temperature > 0:
            options.set_temperature(sampling.temperature)
            options.set_top_k(max(0, sampling.top_k))
            options.set_top_p(sampling.top_p if 0 < sampling.top_p <= 1 else 1.0)
        if sampling.seed >= 0:
            options.set_seed(sampling.seed % _SEEDS)
        if sampling.repeat_penalty > 0 and sampling.repeat_last_n:
            options.set_repetition_penalty(sampling.repeat_penalty)
        turn = request.begin_turn(np.array(prompt, np.int32), options)
        self._requests[id] = request, turn

    def run(self) -> list[NativeEvent]:
        """One run's events."""
        names = {request: name for name, (request, _) in self._requests.items()}
        return [
            self._event(names[event.request], event)
            for event in self._engine.run(self._buffer)
            if event.request in names
        ]

    def stop(self, id: int) -> None:  # noqa: A002 - the contract's name
        """Cancel the turn, if it still runs, and give its memory back."""
        request, turn = self._requests.pop(id)
        with suppress(RuntimeError):  # it may be over already
            request.cancel_turn(turn)
        request.close()

    def _event(self, name: int, event: _Native) -> NativeEvent:
        flags = int(event.flags)

        def has(flag: _Native) -> bool:
            return bool(flags & int(flag))

        if has(self._flags.FAILED) and not has(self._flags.RETRYABLE):
            return NativeEvent(name, failure=f"the engine failed: {event.error_code.name}")
        finish = None
        if has(self._flags.TURN_FINISHED):
            reason = event.finish_reason.name
            if reason in ("FAILED", "CANCELLED"):
                return NativeEvent(name, failure=f"the engine ended the request: {reason}")
            finish = FinishReason.LENGTH if reason.startswith("MAX_") else FinishReason.STOP
        return NativeEvent(name, (event.token,) if has(self._flags.TOKEN) else (), finish)


class _Steps(NativeEngine):
    """Requests are stepped; each step names one that has something to say."""

    def __init__(self, genai: ModuleType, model: _Native) -> None:
        self._genai, self._model = genai, model
        self._engine = genai.Engine(model)
        self._requests: dict[int, _Native] = {}
        self._room: dict[int, int] = {}
        """Tokens that a request may still generate."""

    def start(self, id: int, prompt: tuple[int, ...], sampling: SamplingOptions, room: int) -> None:  # noqa: A002
        """Add a request."""
        options: JsonObject = {"max_length": len(prompt) + room, "do_sample": sampling.temperature > 0}
        if sampling.temperature > 0:
            options["temperature"] = sampling.temperature
            options["top_k"] = max(0, sampling.top_k)
            options["top_p"] = sampling.top_p if 0 < sampling.top_p <= 1 else 1.0
        if sampling.seed >= 0:
            options["random_seed"] = sampling.seed % _SEEDS
        if sampling.repeat_penalty > 0 and sampling.repeat_last_n:
            options["repetition_penalty"] = sampling.repeat_penalty
        parameters = self._genai.GeneratorParams(self._model)
        parameters.set_search_options(**options)
        request = self._genai.Request(parameters)
        request.add_tokens(np.array(prompt, np.int32))
        self._engine.add_request(request)
        self._requests[id], self._room[id] = request, room

    def run(self) -> list[NativeEvent]:
        """The tokens of the request that is ready, and the ends of those that are done.

        A request that ended without a token is never ready; when it is the only one, the runtime calls that an error.
        """
        try:
            ready = self._engine.step()
        except RuntimeError:
            if not any(map(_is_done, self._requests.values())):
                raise
            ready = None
        events = []
        for name, request in self._requests.items():
            tokens: list[int] = []
            while request is ready and request.has_unseen_tokens():
                tokens.append(request.get_unseen_token())
            self._room[name] -= len(tokens)
            done = _is_done(request) and not request.has_unseen_tokens()
            end = FinishReason.STOP if self._room[name] > 0 else FinishReason.LENGTH
            if tokens or done:
                events.append(NativeEvent(name, tuple(tokens), end if done else None))
        return events

    def stop(self, id: int) -> None:  # noqa: A002 - the contract's name
        """Take a request out."""
        del self._room[id]
        self._engine.remove_request(self._requests.pop(id))


def _is_done(request: _Native) -> bool:
    done: bool = request.is_done() if hasattr(request, "is_done") else request.is_turn_complete()
    return done
