"""Answers that are given, and what the model thinks of them."""

import msgspec
import numpy as np

from camelid.errors import RequestError
from camelid.testing.host import Answer, Host
from camelid.testing.outcomes import check, expect_error, needs
from camelid.testing.suite.generating import GREEDY, PROMPT, check_sound
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.wire.messages import Submit

__all__ = ("ScoringCases",)

_TEXT = "seven apples and a river"
"""What no model says by itself after `PROMPT`."""


def _tokens(host: Host, text: str) -> tuple[int, ...]:
    return host.run(host.client.tokenize(text, add_special=False, parse_special=False))


def _given(tokens: tuple[int, ...]) -> Submit:
    return Submit(id=0, prompt=PROMPT, forced=tokens, logprobs=True, top_logprobs=1)


def _rows(answer: Answer) -> bytes:
    return b"".join(delta.distributions for delta in answer.deltas)


class ScoringCases:
    """Score."""

    @needs(Capability.SCORING)
    def test_a_given_answer_is_given(self, host: Host) -> None:
        """Proves that an answer can be forced, whatever the model thinks. Look at `EngineRequest.forced`."""
        tokens = _tokens(host, _TEXT)
        answer = host.answer(_given(tokens))
        check_sound(answer.deltas)
        check(answer.tokens == len(tokens), f"{len(tokens)} tokens", answer.tokens)
        check(answer.finish is FinishReason.LENGTH, "the finish 'length'", answer.finish)
        scored = tuple(entry.token for entry in answer.logprobs)
        check(scored == tokens, f"the log-probabilities of {tokens}", scored)
        check(_TEXT in answer.text, f"the text {_TEXT!r}", answer.text)

    @needs(Capability.SCORING)
    def test_a_models_own_answer_is_what_it_thinks_likely(self, host: Host) -> None:
        """Proves that forced tokens are scored in their places. If it fails, look for an offset by one."""
        own = host.answer(Submit(id=0, prompt=PROMPT, sampling=GREEDY, return_context=True))
        tokens = own.context[len(own.context) - own.tokens :]
        scored = host.answer(_given(tokens))
        check(scored.text == own.text, f"the model's own answer {own.text!r}", scored.text)
        for entry in scored.logprobs:
            # Kernels round otherwise in other batches: two tokens that are as likely may change places.
            best = entry.top[0].logprob
            check(
                best - entry.logprob < 0.1,
                f"{best}, of the most likely token, for the token {entry.token}",
                entry.logprob,
            )

    @needs(Capability.SCORING)
    def test_distributions_add_up_and_do_not_diverge_from_themselves(self, host: Host) -> None:
        """Proves that whole rows are what the model thinks. If it fails, look at the shape and the life of `logits`."""
        tokens = _tokens(host, _TEXT)
        asked = msgspec.structs.replace(_given(tokens), distributions=True)
        answer = host.answer(asked)
        reference = _rows(answer)
        rows = np.frombuffer(reference, "<f2").reshape(len(tokens), host.facts.vocabulary_size).astype(np.float64)
        sums = np.exp(rows).sum(axis=1)
        check(np.allclose(sums, 1, rtol=0, atol=0.01), "probabilities that add up to 1", sums)
        own = rows[np.arange(len(tokens)), tokens]
        told = np.array([entry.logprob for entry in answer.logprobs])
        check(np.allclose(own, told, rtol=0.01, atol=0.01), f"the log-probabilities {told} in the rows", own)
        again = host.answer(msgspec.structs.replace(_given(tokens), reference=reference))
        divergences = [number for delta in again.deltas for number in delta.divergences]
        check(len(divergences) == len(tokens), f"{len(tokens)} divergences", divergences)
        check(np.allclose(divergences, 0, rtol=0, atol=0.01), "no divergence of a model from itself", divergences)

    @needs(Capability.SCORING)
    def test_what_cannot_be_scored_is_refused(self, host: Host) -> None:
        """Proves that tokens beyond the vocabulary and texts beyond the context are the client's errors."""
        token = _tokens(host, "a")[:1]
        for tokens in ((host.facts.vocabulary_size,), (-1,), token * host.facts.context_length):
            expect_error(RequestError, host.answer, _given(tokens))
