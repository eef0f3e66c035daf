"""Continuous batching: many requests through one `BatchDecoder`, a step at a time."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from camelid.contracts.batch import Batch
from camelid.contracts.engine import Engine, EngineEvent, EngineRequest
from camelid.contracts.generation import BatchDecoder, KVCacheFullError
from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.archive import PrefixArchive
from camelid.decoding.budget import PromptPace, fair_shares
from camelid.decoding.cache import PrefixCache, Slot
from camelid.decoding.choosing import Chooser
from camelid.decoding.sequence import Sequence
from camelid.decoding.speculation import Speculation
from camelid.decoding.tokens import common_prefix
from camelid.errors import CamelidError, ModelError, ModelMemoryError, PromptTooLongError, RequestError
from camelid.plugins.blame import raised_outside
from camelid.types.generation import FinishReason
from camelid.types.grammar import Grammar
from camelid.types.usage import EngineUsage

if TYPE_CHECKING:
    from camelid.decoding.constraint import Constraint
    from camelid.decoding.grammars import Grammars

__all__ = ("Scheduler",)

_log = logging.getLogger("camelid.decoding")

_WORTH_WAITING: Final = 32
"""Prompt tokens that another sequence must save for a new one to wait for it."""
_PATIENCE: Final = 0.02
"""Seconds that a step may wait for a grammar or a file when nothing else is to be done."""
_GROWTH: Final = 16
"""Free cells for each running sequence below which no new one starts: it would soon push another out."""


class Scheduler(Engine):
    """Lifts a `BatchDecoder` to an `Engine`.

    Each step is one batch: first a token for every sequence that generates, then as many prompt tokens as its time
    allows, in fair shares. Sequences wait in order of arrival. When the cache is full, idle prefixes go first, then the
    youngest running sequence has to step back; it keeps its tokens and its sampler, and its answer is the same.
    """

    def __init__(
        self,
        decoder: BatchDecoder,
        tokenizer: Tokenizer,
        *,
        draft_tokens: int = -1,
        archive: PrefixArchive | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take over a decoder.

        Args:
            decoder: closed with the scheduler.
            tokenizer: of the same model.
            draft_tokens: as in `LoadOptions`: how many may be guessed ahead.
            archive: for prefixes that leave the KV cache; closed with the scheduler.
            clock: seconds.
        """
        limits = decoder.limits
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._begin = next(iter(tokenizer.encode("", add_special=True, parse_special=False)), None)
        self._clock = clock
        self._context = min(limits.context_length, limits.cells)
        self._chooser = Chooser(decoder, tokenizer, self._context)
        self._batch = Batch(limits.batch_tokens)
        self._archive = archive
        self._cache = PrefixCache(decoder, archive)
        self._pace = PromptPace(limits.batch_tokens)
        self._speculation: Speculation | None = Speculation(decoder, draft_tokens, clock) if draft_tokens else None
        self._grammars: Grammars | None = None
        self._preparing: list[tuple[EngineRequest, Grammar]] = []
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._refusals: list[EngineEvent] = []
        self._arrivals = 0
        self._turn = 0
        self._counted = _Counters()

    @property
    def context_length(self) -> int:
        """Tokens that one request may hold: the decoder's context, or all of its cells if they are fewer."""
        return self._context

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(self._running or self._waiting or self._refusals or self._preparing)

    @property
    def usage(self) -> EngineUsage:
        """What runs, what the KV cache holds, and what was done."""
        cache, archive = self._cache, self._archive
        return EngineUsage(
            running=len(self._running),
            waiting=len(self._waiting) + len(self._preparing),
            cells=cache.cells,
            cells_used=cache.used,
            prefix_memory=archive.budget if archive else 0,
            prefix_memory_used=archive.used if archive else 0,
            prefix_disk=archive.disk_budget if archive else 0,
            prefix_disk_used=archive.disk_used if archive else 0,
            **msgspec.structs.asdict(self._counted),
        )

    def submit(self, request: EngineRequest) -> None:
        """Queue a request; one that can never fit is refused in the next step."""
        length = len(request.prompt) + max(0, len(request.forced) - 1)
        if not request.prompt:
            error: CamelidError = RequestError("the prompt is empty; give at least one token")
        elif length >= self._context:
            error = PromptTooLongError(
                f"the prompt has {length} tokens, but the context only {self._context};"
                " shorten the prompt or load the model with a larger num_ctx"
            )
        elif request.constraint is not None:
            self._preparing.append((request, request.constraint))
            return
        else:
            self._enqueue(request, None)
            return
        self._refusals.append(EngineEvent(request.id, error=error))

    def cancel(self, id: int) -> None:  # noqa: A002 - the field's name on the wire
        """Drop a request. Its slot is free at once, and remembers what it holds."""
        for sequence in self._running:
            if sequence.request.id == id:
                self._leave(sequence)
                return
        for sequence in self._waiting:
            if sequence.request.id == id:
                self._waiting.remove(sequence)
                sequence.close()
                return
        self._preparing = [entry for entry in self._preparing if entry[0].id != id]
        self._refusals = [event for event in self._refusals if event.id != id]

    def step(self) -> list[EngineEvent]:
        """Compute one batch."""
        if self._preparing:
            self._prepare()
        events, self._refusals = self._refusals, []
        self._turn += 1
        if self._waiting:
            self._admit()
        self._follow()
        for sequence in self._running:
            if sequence.total > self._context:
                self._shift(sequence)
        self._compute_media(events)
        while self._running:
            plan = self._plan(events)
            started = self._clock()
            prompts = sum(count for sequence, count in plan if sequence.pending > 1)
            try:
                rows = self._decode(plan)
            except KVCacheFullError:
                self._cache.was_full(self._batch.size)
                continue
            except Exception as error:  # noqa: BLE001 - whatever a backend raises, only this batch may suffer
                events.extend(self._fail(plan, error))
                break
            events.extend(self._sample(sequence, row) for sequence, row in rows)
            self._cache.generated(len(rows))
            self._counted.prompt_tokens += prompts
            self._pace.observe(prompts, self._clock() - started)
            if self._speculation is not None and not prompts:
                self._speculation.took(self._batch.size, self._clock() - started)
            break
        if not self._running:
            self._cache.believe_limits()
        return events

    def close(self) -> None:
        """Drop all requests and close the decoder."""
        for sequence in (*self._running, *self._waiting):
            sequence.close()
        self._running.clear()
        self._waiting.clear()
        self._preparing.clear()
        if self._grammars is not None:
            self._grammars.close()
        leaving = self._cache.leaving()
        self._decoder.close()
        if self._archive is not None:
            self._archive.close(leaving)

    # Who may run

    def _prepare(self) -> None:
        """Let those wait for a slot whose grammar is ready, and refuse those whose grammar is faulty."""
        if self._grammars is None:
            # Importing llguidance takes a tenth of a second, and most models are never asked for it.
            from camelid.decoding.grammars import Grammars  # noqa: PLC0415

            self._grammars = Grammars(self._tokenizer)
        if not (self._running or self._waiting):
            self._grammars.wait(_PATIENCE)
        requests, self._preparing = self._preparing, []
        for request, grammar in requests:
            try:
                constraint = self._grammars.open(grammar)
            except Exception as error:  # noqa: BLE001 - a tokenizer may raise anything; the others go on
                self._refusals.append(EngineEvent(request.id, error=_as_model_error(error)))
                continue
            if constraint is None:
                self._preparing.append((request, grammar))
            else:
                self._enqueue(request, constraint)

    def _enqueue(self, request: EngineRequest, constraint: Constraint | None) -> None:
        """Let a request wait for a slot."""
        self._arrivals += 1
        self._waiting.append(Sequence(request, self._arrivals, self._context, constraint))

    def _admit(self) -> None:
        """Give idle slots to those who wait, as long as their prompts fit."""
        while self._waiting and self._cache.has_idle_slot:
            sequence = self._waiting[0]
            if self._running and not self._fits(sequence):
                return
            if self._archive is not None and self._cache.fetching(sequence.known, sequence.request.tenant):
                if not self._running:
                    self._archive.wait(_PATIENCE)
                return
            self._waiting.popleft()
            self._running.append(sequence)
            self._place(sequence)

    def _fits(self, sequence: Sequence) -> bool:
        """Whether a waiting sequence can be computed to its end without pushing another out soon."""
        matches = self._cache.matches(sequence.known, sequence.request.tenant)
        running = next((length for length, slot in matches if not slot.idle), 0)
        promised = sum(other.pending + _GROWTH for other in self._running)
        return sequence.total + 1 - running + promised <= self._cache.reclaimable

    def _place(self, sequence: Sequence) -> None:
        """Put a sequence into a slot with what is computed of it, or behind another that computes more of it now."""
        tenant = sequence.request.tenant
        slot = self._cache.claim(sequence.known, tenant)
        slot.tokens = sequence.tokens
        sequence.slot = slot
        sequence.leader = None
        if not self._cache.shares:
            return
        awaited = slot.length + _WORTH_WAITING
        for other in self._running:
            if other is not sequence and other.leader is None and other.pending > 1 and other.request.tenant == tenant:
                shared = common_prefix(sequence.known[:-1], other.known)
                if shared >= awaited:
                    sequence.leader, sequence.awaited, awaited = other, shared, shared + 1

    def _follow(self) -> None:
        """Let those go on whose leader has computed what they share, or is gone."""
        for sequence in self._running:
            leader = sequence.leader
            if leader is None or sequence.slot is None:
                continue
            if leader.slot is not None and leader.slot.length < sequence.awaited:
                continue
            if leader.slot is not None:
                self._cache.forget(sequence.slot)
            self._cache.leave(sequence.slot)
            self._place(sequence)

    def _shift(self, sequence: Sequence) -> None:
        """Make room in a full context: drop the older half of what need not be kept (contract 3.1, 3.7)."""
        request, slot = sequence.request, sequence.slot
        wanted = request.sampling.num_keep
        prompt = request.prompt
        keep = len(prompt) if wanted < 0 else min(wanted + (prompt[0] == self._begin), len(prompt))
        keep = max(0, min(keep, self._context - 4))
        discard = max(1, (self._context - keep) // 2)
        if slot is not None:
            self._cache.shift(slot, keep, discard)
        sequence.drop(keep, discard)

    def _leave(self, sequence: Sequence, *, forget: bool = False) -> None:
        """Take a sequence out of its slot for good."""
        self._running.remove(sequence)
        slot, sequence.slot = sequence.slot, None
        sequence.close()
        if slot is not None:
            if forget:
                self._cache.forget(slot, unsure=True)
            self._cache.leave(slot)

    def _step_back(self, sequence: Sequence) -> None:
        """Free a running sequence's cells; it waits for its turn by arrival, and is restored or computed anew."""
        self._running.remove(sequence)
        self._counted.preemptions += 1
        if sequence.slot is not None:
            self._cache.evict(sequence.slot)
            self._cache.leave(sequence.slot)
            sequence.slot = None
        # All who wait came later: it was the youngest that ran.
        self._waiting.appendleft(sequence)

    # What a step computes

    def _plan(self, events: list[EngineEvent]) -> list[tuple[Sequence, int]]:
        """Whose tokens the batch takes, and how many; idle slots and the youngest give way until they fit."""
        while True:
            active = [sequence for sequence in self._running if sequence.leader is None]
            speakers = [sequence for sequence in active if sequence.pending == 1]
            prompts = [sequence for sequence in active if sequence.pending > 1 and sequence.ready]
            seats = self._batch.capacity - (1 if prompts and self._batch.capacity > 1 else 0)
            if len(speakers) > seats:
                start = self._turn * seats % len(speakers)
                speakers = (speakers + speakers)[start : start + seats]
            needs = [sequence.ready for sequence in prompts]
            bound = min(self._pace.bound(others=bool(speakers)), self._batch.capacity - len(speakers))
            wanted = min(sum(needs), bound)
            while self._cache.free < len(speakers) + wanted and self._cache.evict_oldest():
                pass
            budget = min(wanted, self._cache.free - len(speakers))
            if budget > 0 or (budget == 0 and (speakers or not wanted)):
                shares = fair_shares(needs, budget, self._turn)
                if self._speculation is not None:
                    room = 0 if prompts else min(self._batch.capacity, self._cache.free) - len(speakers)
                    self._speculation.guess(self._running, speakers, room)
                return [(sequence, 1 + len(sequence.draft)) for sequence in speakers] + [
                    (sequence, share) for sequence, share in zip(prompts, shares, strict=True) if share
                ]
            if len(self._running) > 1:
                self._step_back(max(self._running, key=lambda sequence: sequence.number))
                self._follow()
            else:
                sequence = self._running[0]
                self._leave(sequence, forget=True)
                needed = f"{sequence.total} tokens, {self._cache.free} cells"
                error = ModelMemoryError("the model's KV cache has no room for this request", reason=needed)
                events.append(EngineEvent(sequence.request.id, error=error))
                return []

    def _compute_media(self, events: list[EngineEvent]) -> None:
        """Compute one piece of media, of the sequence that came first of those that need one now."""
        waiting = [each for each in self._running if each.request.media and each.leader is None and not each.ready]
        sequence = min(waiting, key=lambda each: each.number, default=None)
        if sequence is None or sequence.slot is None or (span := sequence.next_media) is None:
            return
        slot, length = sequence.slot, span.media.length
        if sequence.cached is None:
            sequence.cached = slot.length
        while self._cache.free >= length or self._cache.evict_oldest():
            if self._cache.free < length:
                continue
            try:
                self._decoder.decode_media(slot.sequence, slot.length, span.media)
            except KVCacheFullError:
                self._cache.was_full(length)
            except Exception as error:  # noqa: BLE001 - whatever a backend raises, only this request may suffer
                events.extend(self._fail([(sequence, 0)], error))
                return
            else:
                self._cache.hold(slot, length)
                return
        if len(self._running) > 1:
            self._step_back(max(self._running, key=lambda each: each.number))
            self._follow()
            self._compute_media(events)  # there may be room now, or another's turn: no step goes by without a token
        else:
            needed = f"{length} tokens, {self._cache.free} cells"
            full = ModelMemoryError("the model's KV cache has no room for this picture", reason=needed)
            events.extend(self._fail([(sequence, 0)], full))

    def _decode(self, plan: Iterable[tuple[Sequence, int]]) -> list[tuple[Sequence, int]]:
        """Compute the planned tokens; the rows of those whose next token can be chosen."""
        batch = self._batch
        batch.clear()
        rows: list[tuple[Sequence, int]] = []
        held: list[tuple[Slot, int]] = []
        for sequence, count in plan:
            slot = sequence.slot
            if slot is None:
                continue
            start, draft = slot.length, sequence.draft
            sequence.tokens[sequence.total : sequence.total + len(draft)] = draft
            complete = start + count >= sequence.total
            run = sequence.tokens[start : start + count]
            row = batch.add(slot.sequence, run, start, output=complete, each=bool(len(draft)))
            held.append((slot, count))
            if complete:
                rows.append((sequence, row - len(draft)))
            if sequence.cached is None:
                sequence.cached = start
        if batch.size:
            self._decoder.decode(batch)
        for slot, count in held:
            self._cache.hold(slot, count)
        return rows

    def _fail(self, plan: Iterable[tuple[Sequence, int]], error: Exception) -> list[EngineEvent]:
        """End the sequences of a batch that the decoder could not compute; what it holds of them is unknown."""
        failure = _as_model_error(error)
        for sequence, _ in plan:
            self._leave(sequence, forget=True)
        return [EngineEvent(sequence.request.id, error=failure) for sequence, _ in plan]

    # What a step brings

    def _sample(self, sequence: Sequence, row: int) -> EngineEvent:
        """Choose a sequence's next token, or more where its grammar leaves no choice or its draft was right."""
        request, draft = sequence.request, sequence.draft
        first = sequence.generated == 0
        event = EngineEvent(request.id, cached_tokens=sequence.cached or 0 if first else 0)
        try:
            event.tokens, ended = self._chooser.choose(sequence, row)
            event.logprobs = self._chooser.logprobs(request, event.tokens, row)
            event.distributions = self._chooser.distributions(request, event.tokens, row)
            for token in event.tokens:
                sequence.append(token)
            self._counted.cached_tokens += event.cached_tokens
            self._counted.generated_tokens += len(event.tokens)
            if len(draft):
                self._retract(sequence, ended=ended)
            if ended:
                event.finish = FinishReason.STOP
            elif sequence.generated >= sequence.limit or (not request.shift and sequence.total >= self._context):
                event.finish = FinishReason.LENGTH
        except Exception as error:  # noqa: BLE001 - a backend's sampler may raise anything; the others go on
            event.error = _as_model_error(error)
        if event.finish or event.error:
            self._leave(sequence, forget=bool(event.error and len(draft)))
        return event

    def _retract(self, sequence: Sequence, *, ended: bool) -> None:
        """Drop from the cache what a draft guessed wrong."""
        slot = sequence.slot
        if slot is None:
            return
        held = min(slot.length, sequence.total if ended else sequence.total - 1)
        right = len(sequence.draft) - (slot.length - held)
        self._counted.guessed_tokens += len(sequence.draft)
        self._counted.accepted_tokens += right
        if self._speculation is not None:
            self._speculation.learn(sequence, right=right)
        sequence.draft = sequence.draft[:0]
        if not self._cache.cut(slot, held):
            # A memory that cannot go back has no use for guesses; what it holds is computed again, this once.
            self._speculation = None
            self._cache.forget(slot)
            slot.tokens = sequence.tokens


class _Counters(msgspec.Struct):
    """The counters of `EngineUsage`."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    guessed_tokens: int = 0
    accepted_tokens: int = 0
    preemptions: int = 0


def _as_model_error(error: Exception) -> CamelidError:
    """What clients are told of an exception in a backend; the log gets the rest."""
    if isinstance(error, CamelidError):
        return error
    _log.error("the backend failed", exc_info=error)
    raised = raised_outside(error) or "failed"
    return ModelError(f"the model's backend {raised}; see the server's log", reason=f"{type(error).__name__}: {error}")
