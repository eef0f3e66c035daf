"""Answers that are given, and what the model thinks of them."""

import msgspec
import numpy as np
import pytest

from camelid.errors import RequestError, UnsupportedCapabilityError
from camelid.testing.host import Answer, Host
from camelid.testing.outcomes import needs
from camelid.testing.stream import check_stream
from camelid.testing.suite.generating import GREEDY, PROMPT
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
        assert check_stream(answer.deltas) == []
        assert (answer.tokens, answer.finish) == (len(tokens), FinishReason.LENGTH)
        assert tuple(entry.token for entry in answer.logprobs) == tokens
        assert _TEXT in answer.text

    @needs(Capability.SCORING)
    def test_a_models_own_answer_is_what_it_thinks_likely(self, host: Host) -> None:
        """Proves that forced tokens are scored in their places. If it fails, look for an offset by one."""
        own = host.answer(Submit(id=0, prompt=PROMPT, sampling=GREEDY, return_context=True))
        assert own.timings is not None
        tokens = own.deltas[-1].context[own.timings.prompt_tokens :]
        scored = host.answer(_given(tokens))
        assert scored.text == own.text
        for entry in scored.logprobs:
            # Kernels round otherwise in other batches: two tokens that are as likely may change places.
            assert entry.logprob == pytest.approx(entry.top[0].logprob, abs=0.1)

    @needs(Capability.SCORING)
    def test_distributions_add_up_and_do_not_diverge_from_themselves(self, host: Host) -> None:
        """Proves that whole rows are what the model thinks. If it fails, look at the shape and the life of `logits`."""
        tokens = _tokens(host, _TEXT)
        asked = msgspec.structs.replace(_given(tokens), distributions=True)
        answer = host.answer(asked)
        reference = _rows(answer)
        rows = np.frombuffer(reference, "<f2").reshape(len(tokens), host.facts.vocabulary_size).astype(np.float64)
        assert np.exp(rows).sum(axis=1) == pytest.approx(1, abs=0.01)
        for row, entry in zip(rows, answer.logprobs, strict=True):
            assert row[entry.token] == pytest.approx(entry.logprob, rel=0.01, abs=0.01)
        again = host.answer(msgspec.structs.replace(_given(tokens), reference=reference))
        divergences = [number for delta in again.deltas for number in delta.divergences]
        assert divergences == pytest.approx([0] * len(tokens), abs=0.01)

    @needs(Capability.SCORING)
    def test_what_cannot_be_scored_is_refused(self, host: Host) -> None:
        """Proves that tokens beyond the vocabulary and texts beyond the context are the client's errors."""
        token = _tokens(host, "a")[:1]
        for tokens in ((host.facts.vocabulary_size,), (-1,), token * host.facts.context_length):
            with pytest.raises(RequestError) as caught:
                host.answer(_given(tokens))
            if isinstance(caught.value, UnsupportedCapabilityError):
                raise caught.value
