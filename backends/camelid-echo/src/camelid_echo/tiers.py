"""The echo model's three generators, one for each tier of `camelid_generator`."""

import math
import random
import time
from collections.abc import Callable, Sequence

import numpy as np

from camelid import (
    Batch,
    BatchDecoder,
    BatchLimits,
    Decoder,
    Engine,
    EngineEvent,
    EngineRequest,
    KVCacheFullError,
    Media,
)
from camelid.contracts.generation import Generator, Logits
from camelid.errors import ModelError
from camelid.types.generation import FinishReason
from camelid_echo.backend import CERTAINTY, END, VOCABULARY, EchoModel, next_token
from camelid_echo.media import EchoPicture

__all__ = ("EchoBatchDecoder", "EchoDecoder", "EchoEngine", "echo_generator")


def echo_generator(model: EchoModel) -> Generator:
    """The generator of the tier that the model's options name."""
    tiers: dict[str, Callable[[EchoModel], Generator]] = {
        "decoder": EchoDecoder,
        "batch": EchoBatchDecoder,
        "engine": EchoEngine,
    }
    return tiers[model.echo.tier](model)


def _logits_after(history: Sequence[int]) -> Logits:
    logits = np.zeros(VOCABULARY, np.float32)
    logits[next_token(history)] = CERTAINTY
    return logits


class EchoDecoder(Decoder):
    """Tier one: remembers one sequence."""

    def __init__(self, model: EchoModel) -> None:
        self._model = model
        self._history: list[int] = []

    @property
    def context_length(self) -> int:
        """As loaded."""
        return self._model.options.context_length

    def feed(self, tokens: Sequence[int]) -> Logits:
        """Remember, and say what follows."""
        time.sleep(self._model.echo.delay)
        self._history.extend(tokens)
        return _logits_after(self._history)

    def reset(self) -> None:
        """Forget."""
        self._history.clear()

    def trim(self, length: int) -> bool:
        """Forget the end."""
        del self._history[length:]
        return True


class EchoBatchDecoder(BatchDecoder):
    """Tier two: remembers many sequences, and refuses tokens that do not follow what it remembers."""

    def __init__(self, model: EchoModel) -> None:
        options = model.options
        self._delay = model.echo.delay
        self._limits = BatchLimits(
            sequences=options.parallel,
            cells=options.context_length * options.parallel,
            context_length=options.context_length,
            batch_tokens=options.batch_tokens,
        )
        self._histories: list[list[int]] = [[] for _ in range(options.parallel)]
        self._logits: dict[int, Logits] = {}

    @property
    def limits(self) -> BatchLimits:
        """As loaded."""
        return self._limits

    def decode(self, batch: Batch) -> None:
        """Remember each token under its sequence."""
        if batch.size + sum(map(len, self._histories)) > self._limits.cells:
            raise KVCacheFullError("the echo model can remember no more")
        time.sleep(self._delay)
        self._logits.clear()
        for row in range(batch.size):
            history = self._histories[batch.sequences[row]]
            if batch.positions[row] != len(history):
                raise ValueError(f"position {batch.positions[row]} does not follow {len(history)} tokens")
            history.append(int(batch.tokens[row]))
            if batch.outputs[row]:
                self._logits[row] = _logits_after(history)

    def decode_media(self, sequence: int, position: int, media: Media) -> None:
        """Remember the words for a picture."""
        history = self._histories[sequence]
        if not isinstance(media, EchoPicture) or position != len(history):
            raise ValueError(f"{media!r} at position {position} does not follow {len(history)} tokens")
        if media.length + sum(map(len, self._histories)) > self._limits.cells:
            raise KVCacheFullError("the echo model can remember no more")
        time.sleep(self._delay)
        history.extend(media.tokens)

    def logits(self, row: int) -> Logits:
        """What follows the row's token."""
        return self._logits[row]

    def trim(self, sequence: int, length: int) -> bool:
        """Forget the end of one sequence."""
        del self._histories[sequence][length:]
        return True

    def copy_prefix(self, source: int, target: int, length: int) -> bool:
        """Remember the same beginning twice."""
        self._histories[target][:] = self._histories[source][:length]
        return True

    def shift(self, sequence: int, keep: int, discard: int) -> bool:
        """Forget a piece of the middle."""
        del self._histories[sequence][keep : keep + discard]
        return True

    def save(self, sequence: int) -> bytes:
        """How many tokens, and the tokens, as int32."""
        history = self._histories[sequence]
        return np.asarray([len(history), *history], "<i4").tobytes()

    def restore(self, sequence: int, state: bytes) -> None:
        """Remember them again."""
        length, *history = np.frombuffer(state[: len(state) // 4 * 4], "<i4").tolist() or [-1]
        if length != len(history) or len(state) % 4:
            raise ModelError("a saved sequence could not be restored; it is computed again")
        self._histories[sequence] = history


class _Turn:
    """One request of the `EchoEngine`."""

    def __init__(self, request: EngineRequest, context_length: int) -> None:
        sampling = request.sampling
        self.history = list(request.prompt)
        self.room = context_length - len(self.history)
        if sampling.num_predict > 0:
            self.room = min(self.room, sampling.num_predict)
        self.random = random.Random(sampling.seed if sampling.seed >= 0 else None)  # noqa: S311 - no secret
        weight = math.exp(CERTAINTY / sampling.temperature) if sampling.temperature > 0.1 else math.inf
        self.certainty = 1.0 if weight == math.inf else weight / (weight + VOCABULARY - 1)

    def advance(self) -> int:
        """Choose the next token: nearly always the one that follows."""
        token = next_token(self.history)
        if token != END and self.random.random() > self.certainty:
            token = self.random.randrange(ord("a"), ord("z") + 1)
        self.history.append(token)
        self.room -= 1
        return token


class EchoEngine(Engine):
    """Tier three: advances all of its requests by itself."""

    def __init__(self, model: EchoModel) -> None:
        self._model = model
        self._turns: dict[int, _Turn] = {}

    @property
    def context_length(self) -> int:
        """As loaded."""
        return self._model.options.context_length

    @property
    def busy(self) -> bool:
        """Whether any request is open."""
        return bool(self._turns)

    def submit(self, request: EngineRequest) -> None:
        """Begin at once."""
        self._turns[request.id] = _Turn(request, self.context_length)

    def step(self) -> list[EngineEvent]:
        """One token for each request."""
        time.sleep(self._model.echo.delay)
        events = [self._advance(request_id, turn) for request_id, turn in self._turns.items()]
        for event in events:
            if event.finish:
                del self._turns[event.id]
        return events

    def _advance(self, request_id: int, turn: _Turn) -> EngineEvent:
        token = turn.advance()
        if token == END:
            return EngineEvent(request_id, finish=FinishReason.STOP)
        return EngineEvent(request_id, [token], finish=None if turn.room > 0 else FinishReason.LENGTH)

    def cancel(self, id: int) -> None:  # noqa: A002 - the contract's name
        """Drop it."""
        self._turns.pop(id, None)
