"""One answer on its way from tokens to deltas."""

from collections.abc import Mapping

from camelid.contracts.engine import EngineEvent
from camelid.decoding.text import TextAssembler
from camelid.types.generation import FinishReason, Timings, TokenLogprob
from camelid.wire.messages import Delta, Fault, Submit
from camelid.worker.scoring import Scores

__all__ = ("Answer",)


class Answer:
    """Collects what an engine says of one request; a delta goes out when there is text to show, or the end."""

    __slots__ = (
        "_assembler",
        "_began",
        "_cached",
        "_context",
        "_first",
        "_generated",
        "_logprobs",
        "_markup",
        "_prompt_tokens",
        "_scores",
        "_submit",
        "_unsent",
    )

    def __init__(self, submit: Submit, prompt: tuple[int, ...], now: int, markup: Mapping[int, bytes]) -> None:
        """Begin.

        Args:
            submit: the request.
            prompt: its tokens.
            now: monotonic nanoseconds.
            markup: what control tokens stand for in this answer.
        """
        self._submit = submit
        self._prompt_tokens = len(prompt)
        self._markup = markup
        self._assembler = TextAssembler(submit.sampling.stop)
        self._context: list[tuple[int, int]] = (
            [(-1, token) for token in prompt if token >= 0] if submit.return_context else []
        )
        self._logprobs: list[tuple[int, TokenLogprob]] = []
        self._scores = Scores(submit) if submit.forced else None
        self._began = now
        self._first = 0
        self._generated = 0
        self._unsent = 0
        self._cached = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop string ended the answer, so that the engine need not go on."""
        return self._assembler.stopped

    def score(self, event: EngineEvent) -> None:
        """Look at the distributions of an event's tokens, before `take`.

        Raises:
            ModelError: they cannot be compared with the reference.
        """
        if self._scores:
            self._scores.add(event.distributions)

    def take(self, event: EngineEvent, pieces: Mapping[int, bytes], now: int, fault: Fault | None) -> Delta | None:
        """What an event has to tell the client.

        Args:
            event: one step's news of this request.
            pieces: the bytes of tokens.
            now: monotonic nanoseconds.
            fault: the event's error, for the wire.
        """
        if not self._first:
            self._first = now
            self._cached = event.cached_tokens
        text = self._read(event, pieces)
        finish = event.finish
        if finish or fault:
            text += self._assembler.finish()
        if self._assembler.stopped:
            finish, fault = FinishReason.STOP, None
        if not (text or finish or fault):
            return None
        tokens, self._unsent = self._unsent, 0
        distributions, divergences = self._scores.take() if self._scores else (b"", ())
        if not (finish or fault):
            return Delta(
                self._submit.id,
                text,
                tokens,
                logprobs=self._take_logprobs(),
                distributions=distributions,
                divergences=divergences,
            )
        return Delta(
            self._submit.id,
            text,
            tokens,
            finish=None if fault else finish,
            timings=self._timings(now),
            logprobs=self._take_logprobs(),
            context=self._said_tokens(),
            fault=fault,
            stop=self._assembler.stop,
            distributions=distributions,
            divergences=divergences,
        )

    def _read(self, event: EngineEvent, pieces: Mapping[int, bytes]) -> str:
        """Turn the event's tokens into text, up to a stop string."""
        assembler = self._assembler
        text = ""
        for index, token in enumerate(event.tokens):
            place = assembler.decoded
            text += assembler.feed(self._markup.get(token) or pieces[token])
            self._generated += 1
            self._unsent += 1
            if event.logprobs:
                self._logprobs.append((place, event.logprobs[index]))
            if self._context:
                self._context.append((place, token))
            if assembler.stopped:
                break
        return text

    def _take_logprobs(self) -> tuple[TokenLogprob, ...]:
        """The tokens since the last delta, without those of a stop string."""
        if not self._logprobs:
            return ()
        entries, self._logprobs = self._logprobs, []
        return tuple(entry for place, entry in entries if self._is_said(place))

    def _said_tokens(self) -> tuple[int, ...]:
        """Prompt and answer, without the tokens of a stop string."""
        return tuple(token for place, token in self._context if self._is_said(place))

    def _is_said(self, place: int) -> bool:
        """Whether a token that began at this character came before a stop string."""
        return not self._assembler.stopped or place < self._assembler.released

    def _timings(self, now: int) -> Timings:
        # At least a nanosecond each: clients divide by these, and the API leaves zeros out.
        return Timings(
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached,
            prompt_duration=max(1, self._first - self._began),
            generated_tokens=self._generated,
            generation_duration=max(1, now - self._first),
        )
