"""A small batch decoder that really keeps what it was given, so that any mistake in the bookkeeping changes answers."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from zlib import crc32

import numpy as np
import pytest

from camelid.contracts.batch import Batch, BatchLimits
from camelid.contracts.engine import Engine, EngineEvent, EngineRequest
from camelid.contracts.generation import BatchDecoder, Decoder, KVCacheFullError, Logits
from camelid.contracts.media import Media, MediaSpan, media_tokens
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import ModelError
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions

VOCABULARY = 61
BEGIN, END = 59, 60


def toy_logits(history: Sequence[int]) -> Logits:
    """What follows exactly this history; now and then the end."""
    seed = crc32(bytes(history))
    logits = np.random.default_rng(seed).standard_normal(VOCABULARY).astype(np.float32)
    logits[BEGIN] = -np.inf
    logits[END] = 5.0 if seed % 199 == 0 else -5.0
    return logits


class ToyTokenizer(Tokenizer):
    @property
    def vocabulary_size(self) -> int:
        return VOCABULARY

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset({END})

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        return [BEGIN] * add_special + [ord(letter) % BEGIN for letter in text]

    def token_bytes(self, token: int) -> bytes:
        return bytes((65 + token,)) if token < BEGIN else b""


class ToyMedia(Media):
    def __init__(self, content: bytes, length: int) -> None:
        self.content = content
        self._length = length
        self.closed = False

    @property
    def length(self) -> int:
        return self._length

    @property
    def digest(self) -> bytes:
        return sha256(self.content).digest()

    def close(self) -> None:
        self.closed = True


class ToyBatchDecoder(BatchDecoder):
    """Cells with a token each; a prefix is shared by reference, as in a unified KV cache."""

    def __init__(
        self,
        *,
        sequences: int = 4,
        cells: int = 1000,
        context: int = 100,
        batch: int = 16,
        trims: bool = True,
        copies: bool = True,
        shifts: bool = True,
        moody: bool = False,
        hidden_cells: int = 0,
    ) -> None:
        self._limits = BatchLimits(sequences=sequences, cells=cells, context_length=context, batch_tokens=batch)
        self.histories: list[list[tuple[object, int]]] = [[] for _ in range(sequences)]
        self.trims, self.copies, self.shifts = trims, copies, shifts
        self.moody = moody
        """Refuses some copies, as a cache does that has dropped a part of the source."""
        self.hidden_cells = hidden_cells
        """Cells that the limits promise and that are not there."""
        self.computed = 0
        self.media_computed = 0
        self.restored = 0
        self.forgetful = False
        self.batches: list[list[tuple[int, int]]] = []
        """For each batch, (sequence, tokens) in order."""
        self.broken: Exception | None = None
        self.closed = False
        self._logits: dict[int, Logits] = {}

    @property
    def limits(self) -> BatchLimits:
        return self._limits

    @property
    def used(self) -> int:
        return len({id(cell) for history in self.histories for cell, _ in history})

    def decode(self, batch: Batch) -> None:
        assert batch.size
        if self.broken is not None:
            raise self.broken
        if self.used + batch.size > self._limits.cells - self.hidden_cells:
            raise KVCacheFullError("full")
        self._logits.clear()
        self.batches.append([])
        for row in range(batch.size):
            sequence = int(batch.sequences[row])
            history = self.histories[sequence]
            assert batch.positions[row] == len(history)
            history.append((object(), int(batch.tokens[row])))
            assert len(history) <= self._limits.context_length
            if batch.outputs[row]:
                self._logits[row] = toy_logits([token for _, token in history])
            if self.batches[-1] and self.batches[-1][-1][0] == sequence:
                self.batches[-1][-1] = (sequence, self.batches[-1][-1][1] + 1)
            else:
                self.batches[-1].append((sequence, 1))
        self.computed += batch.size

    def decode_media(self, sequence: int, position: int, media: Media) -> None:
        assert isinstance(media, ToyMedia)
        history = self.histories[sequence]
        assert position == len(history)
        if self.broken is not None:
            raise self.broken
        if self.used + media.length > self._limits.cells - self.hidden_cells:
            raise KVCacheFullError("full")
        history += [(object(), number) for number in media.content[:1] * media.length]
        self.media_computed += 1

    def logits(self, row: int) -> Logits:
        return self._logits[row]

    def trim(self, sequence: int, length: int) -> bool:
        history = self.histories[sequence]
        assert length <= len(history)
        if length and not self.trims:
            return False
        del history[length:]
        return True

    def copy_prefix(self, source: int, target: int, length: int) -> bool:
        assert not self.histories[target]
        assert length <= len(self.histories[source])
        if not self.copies or (self.moody and (source + length) % 2):
            return False
        self.histories[target] = self.histories[source][:length]
        return True

    def shift(self, sequence: int, keep: int, discard: int) -> bool:
        if not self.shifts:
            return False
        moved = {id(cell) for cell, _ in self.histories[sequence][keep + discard :]}
        others = {id(cell) for other, held in enumerate(self.histories) if other != sequence for cell, _ in held}
        assert not moved & others, "a shared cell was moved"
        del self.histories[sequence][keep : keep + discard]
        return True

    def save(self, sequence: int) -> bytes:
        return bytes(token for _, token in self.histories[sequence])

    def restore(self, sequence: int, state: bytes) -> None:
        assert not self.histories[sequence]
        if self.used + len(state) > self._limits.cells - self.hidden_cells:
            raise KVCacheFullError("full")
        if self.forgetful:
            raise ModelError("these bytes are no state")
        self.histories[sequence] = [(object(), token) for token in state]
        self.restored += len(state)

    def close(self) -> None:
        self.closed = True


class ToyDecoder(Decoder):
    def __init__(self, context: int = 100, *, trims: bool = True) -> None:
        self._context = context
        self.trims = trims
        self.history: list[int] = []
        self.fed: list[list[int]] = []

    @property
    def context_length(self) -> int:
        return self._context

    def feed(self, tokens: Sequence[int]) -> Logits:
        self.fed.append(list(tokens))
        self.history += tokens
        assert len(self.history) <= self._context
        return toy_logits(self.history)

    def reset(self) -> None:
        self.history.clear()

    def trim(self, length: int) -> bool:
        if self.trims:
            del self.history[length:]
        return self.trims


class Answer:
    """What one request was given, event by event."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.events: list[EngineEvent] = []

    @property
    def finish(self) -> FinishReason | None:
        return self.events[-1].finish if self.events else None

    @property
    def error(self) -> Exception | None:
        return self.events[-1].error if self.events else None

    @property
    def ended(self) -> bool:
        return bool(self.finish or self.error)


class Answers(dict[int, Answer]):
    """Collects events and checks what holds for all of them."""

    def take(self, events: Iterable[EngineEvent]) -> None:
        seen: set[int] = set()
        for event in events:
            assert event.id not in seen, "two events of one request in a step"
            seen.add(event.id)
            answer = self.setdefault(event.id, Answer())
            assert not answer.ended, "an event after the end"
            assert END not in event.tokens
            answer.events.append(event)
            answer.tokens += event.tokens


def run(engine: Engine, *requests: EngineRequest, steps: int = 5000) -> Answers:
    """Submit, and step until all is done."""
    answers = Answers()
    for request in requests:
        engine.submit(request)
    for _ in range(steps):
        if not engine.busy:
            return answers
        answers.take(engine.step())
    raise AssertionError(f"not done after {steps} steps")


def expected(request: EngineRequest, context: int) -> tuple[list[int], FinishReason]:
    """What a request gives alone at temperature 0, from the contract's words."""
    prompt, sampling = list(request.prompt), request.sampling
    for span in request.media:
        prompt[span.start : span.end] = span.media.content[:1] * span.media.length
    keep = sampling.num_keep + (prompt[0] == BEGIN)
    keep = max(0, min(len(prompt) if sampling.num_keep < 0 else keep, len(prompt), context - 4))
    most = 10 * context
    limit = min(sampling.num_predict, most) if sampling.num_predict > 0 else most
    held, answer = prompt, []
    while True:
        if len(held) > context:
            del held[keep : keep + max(1, (context - keep) // 2)]
        token = int(toy_logits(held).argmax())
        if token == END:
            return answer, FinishReason.STOP
        held.append(token)
        answer.append(token)
        if len(answer) >= limit or (len(held) >= context and not request.shift):
            return answer, FinishReason.LENGTH


def greedy(
    number: int,
    parts: Sequence[int | ToyMedia],
    *,
    num_predict: int = -1,
    num_keep: int = 4,
    shift: bool = True,
    logprobs: bool = False,
    top_logprobs: int = 0,
    tenant: str = "",
) -> EngineRequest:
    sampling = SamplingOptions(temperature=0, num_predict=num_predict, num_keep=num_keep)
    prompt: list[int] = []
    spans = []
    for part in parts:
        if isinstance(part, ToyMedia):
            spans.append(MediaSpan(len(prompt), part))
            prompt += media_tokens(part)
        else:
            prompt.append(part)
    return EngineRequest(
        number,
        tuple(prompt),
        sampling,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        shift=shift and not spans,
        media=tuple(spans),
        tenant=tenant,
    )


class Toys:
    """The names above, for tests that cannot import them."""

    VOCABULARY, BEGIN, END = VOCABULARY, BEGIN, END
    BatchDecoder = ToyBatchDecoder
    Media = ToyMedia
    Decoder = ToyDecoder
    Tokenizer = ToyTokenizer
    Answers = Answers
    logits: Callable[[Sequence[int]], Logits] = staticmethod(toy_logits)
    run = staticmethod(run)
    expected = staticmethod(expected)
    greedy = staticmethod(greedy)


@pytest.fixture(scope="session")
def toys() -> type[Toys]:
    return Toys
