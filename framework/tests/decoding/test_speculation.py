"""Guessing ahead: what it saves, and that it changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camelid.contracts.engine import EngineRequest
from camelid.decoding.scheduler import Scheduler
from camelid.decoding.speculation import continuation
from camelid.types.options import SamplingOptions


def array(*tokens: int):
    return np.array(tokens, np.int32)


@pytest.mark.parametrize(
    ("tokens", "most", "expected"),
    [
        ((1, 2, 3, 4, 5, 1, 2, 3), 2, [4, 5]),
        ((1, 2, 3, 4, 1, 2, 3, 9, 1, 2, 3), 1, [9]),
        ((1, 2, 3, 4, 1, 2, 3), 6, [4, 1, 2, 3, 4, 1]),
        ((7, 7, 7, 7), 3, [7, 7, 7]),
        ((1, 2, 3, 4, -5, -6, 1, 2, 3), 4, [4]),
        ((1, 2, 3, -4, 1, 2, 3), 4, []),
        ((1, 2, 3, 4, 5, 6), 3, []),
        ((1, 2, 3), 3, []),
        ((), 3, []),
    ],
)
def test_what_followed_before_is_the_guess(tokens, most, expected):
    assert continuation(array(*tokens), most).tolist() == expected


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(1, 9))
def test_the_guess_is_the_latest_of_all(tokens, most):
    found = continuation(array(*tokens), most).tolist()
    places = [place for place in range(len(tokens) - 3) if tokens[place : place + 3] == tokens[-3:]]
    assert bool(found) == bool(places)
    if places:
        period = tokens[places[-1] + 3 :]
        assert found == [period[place % len(period)] for place in range(most)]


class Parrot:
    """A model that says its prompt again and again, and so is easy to guess."""

    def __init__(self, toys, **shape):
        self.decoder = toys.BatchDecoder(sequences=4, cells=4000, context=1000, batch=64, **shape)
        inner = self.decoder.decode

        def decode(batch):
            inner(batch)
            for row in range(batch.size):
                if batch.outputs[row]:
                    logits = np.zeros(toys.VOCABULARY, np.float32)
                    logits[(int(batch.positions[row]) + 1) % 11] = 9.0
                    self.decoder._logits[row] = logits

        self.decoder.decode = decode


def answer(toys, decoder, *, speculates, temperature=0.0, requests=1, **fields):
    engine = Scheduler(decoder, toys.Tokenizer(), draft_tokens=-speculates, clock=lambda: 0.0)
    sampling = SamplingOptions(temperature=temperature, seed=5, num_predict=120, **fields)
    prompt = tuple(range(11)) * 2
    answers = toys.run(engine, *(EngineRequest(number, prompt, sampling) for number in range(requests)))
    return [answers[number].tokens for number in range(requests)]


@pytest.mark.parametrize("temperature", [0.0, 0.8, 1.5, 3.0])
@pytest.mark.parametrize("requests", [1, 3])
def test_the_answer_is_the_same_and_takes_fewer_batches(toys, temperature, requests):
    plain, guessing = Parrot(toys).decoder, Parrot(toys).decoder
    shape = {"temperature": temperature, "requests": requests, "top_k": 0, "top_p": 1.0}
    expected = answer(toys, plain, speculates=False, **shape)
    assert answer(toys, guessing, speculates=True, **shape) == expected
    if temperature < 1:
        assert len(guessing.batches) < len(plain.batches) / 2


class Advised:
    """The same model with a smaller one beside it, which is right as often as it is told to be."""

    def __init__(self, toys, *, right: int):
        asked = self.asked = []

        class Decoder(toys.BatchDecoder):
            def guess(self, sequence, tokens, most):
                asked.append(most)
                held = [int(token) for token in tokens]
                guessed = []
                for _ in range(most):
                    guessed.append(int(toys.logits(held).argmax()) if len(guessed) < right else 0)
                    held.append(guessed[-1])
                return guessed

        self.decoder = Decoder(context=200, cells=400, batch=32)


@pytest.mark.parametrize("right", [0, 1, 99])
def test_a_smaller_model_guesses_where_nothing_was_said_before(toys, right):
    request = toys.greedy(1, [3, 1, 4, 1, 5], num_predict=60)
    advised = Advised(toys, right=right)
    engine = Scheduler(advised.decoder, toys.Tokenizer(), clock=lambda: 0.0)
    answer = toys.run(engine, request)[1]
    assert (answer.tokens, answer.finish) == toys.expected(request, 200)
    assert advised.asked
    if right == 99:
        assert len(advised.decoder.batches) < len(answer.tokens) / 2
    if right == 0:
        assert len(advised.asked) < 8, "who is always wrong is hardly asked any more"


def test_a_smaller_model_is_not_asked_about_pictures(toys):
    advised = Advised(toys, right=99)
    engine = Scheduler(advised.decoder, toys.Tokenizer(), clock=lambda: 0.0)
    toys.run(engine, toys.greedy(1, [3, toys.Media(b"\x07", 5), 4], num_predict=20))
    assert not advised.asked


def test_many_speakers_are_not_guessed_for(toys):
    plain, guessing = (
        toys.BatchDecoder(sequences=6, cells=4000, context=500, batch=64),
        toys.BatchDecoder(sequences=6, cells=4000, context=500, batch=64),
    )
    for decoder, speculates in ((plain, False), (guessing, True)):
        answer(toys, decoder, speculates=speculates, requests=6)
    assert guessing.computed == plain.computed


def test_log_probabilities_are_those_of_each_token(toys):
    found = []
    for speculates in (False, True):
        engine = Scheduler(Parrot(toys).decoder, toys.Tokenizer(), draft_tokens=-speculates, clock=lambda: 0.0)
        request = toys.greedy(1, tuple(range(11)) * 2, num_predict=40, logprobs=True, top_logprobs=2)
        events = toys.run(engine, request)[1].events
        found.append([entry for event in events for entry in event.logprobs])
    assert len(found[0]) == 40
    assert found[0] == found[1]


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_a_memory_that_cannot_go_back_stops_guessing(toys, requests):
    sampling = SamplingOptions(temperature=1.5, seed=5, num_predict=120, top_k=0, top_p=1.0)
    asked = [EngineRequest(number, tuple(range(11)) * 2, sampling) for number in range(requests)]
    plain = Scheduler(Parrot(toys).decoder, toys.Tokenizer(), draft_tokens=0, clock=lambda: 0.0)
    guessing = Scheduler(Parrot(toys, trims=False).decoder, toys.Tokenizer(), clock=lambda: 0.0)
    expected, found = toys.run(plain, *asked), toys.run(guessing, *asked)
    assert [found[number].tokens for number in range(requests)] == [expected[n].tokens for n in range(requests)]
    assert guessing._speculation is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=4, max_size=60), st.integers(1, 60), st.booleans())
def test_guesses_never_change_an_answer(toys, prompt, num_predict, shift):
    request = toys.greedy(1, prompt, num_predict=num_predict, shift=shift)
    decoder = toys.BatchDecoder(context=70, cells=140)
    engine = Scheduler(decoder, toys.Tokenizer(), clock=lambda: 0.0)
    answer = toys.run(engine, request)[1]
    assert (answer.tokens, answer.finish) == toys.expected(request, 70)
    assert engine._cache._cells.used == decoder.used
