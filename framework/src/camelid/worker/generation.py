"""All answers in the making: requests go into the engine, deltas come out."""

import time

from camelid.contracts.engine import EngineEvent, EngineRequest
from camelid.contracts.media import MediaSpan
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import CamelidError, ModelError
from camelid.types.capabilities import Capability
from camelid.wire.messages import Delta, Fault, Submit
from camelid.worker.answer import Answer
from camelid.worker.markup import markup_tokens
from camelid.worker.prompt import check_tokens, prompt_tokens, prompt_with_media
from camelid.worker.session import Session

__all__ = ("Generation",)


class _Pieces(dict[int, bytes]):
    """The bytes of tokens, asked for once each."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def __missing__(self, token: int) -> bytes:
        piece = self[token] = self._tokenizer.token_bytes(token)
        return piece


class Generation:
    """The requests of a worker's engine."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pieces = _Pieces(session.tokenizer)
        self._answers: dict[int, Answer] = {}
        self._media: dict[int, tuple[MediaSpan, ...]] = {}
        self._refused: list[Delta] = []

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(self._answers or self._refused)

    def submit(self, submit: Submit) -> None:
        """Hand a request to the engine; a refusal comes with the next step."""
        try:
            engine = self._session.engine()
            if submit.logprobs:
                self._session.require(Capability.LOGPROBS)
            if submit.constraint:
                self._session.require(Capability.CONSTRAINTS)
            if submit.forced:
                self._session.require(Capability.SCORING)
                check_tokens(submit.forced, self._session.tokenizer)
            now = time.monotonic_ns()
            prompt = self._prompt(submit, engine.context_length)
            answer = Answer(submit, prompt, now, markup_tokens(submit, self._session.tokenizer))
            engine.submit(
                EngineRequest(
                    submit.id,
                    prompt,
                    submit.sampling,
                    submit.logprobs,
                    submit.top_logprobs,
                    submit.shift and not submit.media and not submit.forced,
                    submit.constraint,
                    self._media.get(submit.id, ()),
                    submit.tenant,
                    submit.forced,
                    bool(submit.distributions or submit.reference),
                )
            )
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, only this request may suffer
            self._forget(submit.id)
            self._refused.append(Delta(submit.id, fault=self._session.fault(error)))
        else:
            self._answers[submit.id] = answer

    def cancel(self, request: int) -> None:
        """Drop a request."""
        if request in self._answers:
            self._session.engine().cancel(request)
            self._forget(request)
        self._refused = [delta for delta in self._refused if delta.id != request]

    def step(self) -> list[Delta]:
        """Advance the engine by a step."""
        deltas, self._refused = self._refused, []
        if not self._answers:
            return deltas
        engine = self._session.engine()
        try:
            events = engine.step()
        except Exception as error:  # noqa: BLE001 - the engine is a backend's: its requests fail, the worker stays
            for request in self._answers:
                engine.cancel(request)
            return deltas + self._fail_all(error)
        now = time.monotonic_ns()
        for event in events:
            delta = self._take(event, now)
            if delta is not None:
                deltas.append(delta)
        if self._answers and not engine.busy:
            deltas += self._fail_all(ModelError("the model's backend ended without finishing this request"))
        return deltas

    def _take(self, event: EngineEvent, now: int) -> Delta | None:
        """Turn an event into a delta, and forget a request that has ended."""
        answer = self._answers.get(event.id)
        if answer is None:
            return None
        fault = self._session.fault(event.error) if event.error else self._score(answer, event)
        delta = answer.take(event, self._pieces, now, fault)
        if event.finish or event.error:
            self._forget(event.id)
        elif fault or answer.stopped:
            self.cancel(event.id)
        return delta

    def _score(self, answer: Answer, event: EngineEvent) -> Fault | None:
        """Compare what the model thinks with the reference; what is wrong if that cannot be done."""
        try:
            answer.score(event)
        except CamelidError as error:
            return self._session.fault(error)
        return None

    def _prompt(self, submit: Submit, context_length: int) -> tuple[int, ...]:
        """The prompt's tokens; its media are kept until the request is forgotten."""
        tokenizer = self._session.tokenizer
        if not submit.media:
            return prompt_tokens(submit, tokenizer, context_length)
        tokens, spans = prompt_with_media(submit, tokenizer, self._session.media_tokenizer(), context_length)
        self._media[submit.id] = spans
        return tokens

    def _forget(self, request: int) -> None:
        """Drop what is kept of a request that the engine does not have any more."""
        self._answers.pop(request, None)
        for span in self._media.pop(request, ()):
            span.media.close()

    def _fail_all(self, error: Exception) -> list[Delta]:
        """End every request with the same error."""
        fault, now = self._session.fault(error), time.monotonic_ns()
        answers = dict(self._answers)
        for request in answers:
            self._forget(request)
        last = (answer.take(EngineEvent(request), self._pieces, now, fault) for request, answer in answers.items())
        return [delta for delta in last if delta is not None]
