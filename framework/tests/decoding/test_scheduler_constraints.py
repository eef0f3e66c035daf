"""Requests with a grammar, through the scheduler."""

import re

import pytest

from camelid.contracts.engine import EngineRequest
from camelid.decoding.scheduler import Scheduler
from camelid.errors import RequestError
from camelid.types.generation import FinishReason
from camelid.types.grammar import Grammar
from camelid.types.options import SamplingOptions

SCRIPT = "HEAD[a-f]{6}MIDDLE[g-m]{6}TAIL"


def make(toys, **shape):
    decoder = toys.BatchDecoder(**shape)
    return decoder, Scheduler(decoder, toys.Tokenizer(), clock=lambda: 0.0)


def held(number, prompt, pattern=SCRIPT, *, logprobs=False, shift=True, **options):
    sampling = SamplingOptions(**{"temperature": 0.0, **options})
    constraint = Grammar("regex", pattern)
    return EngineRequest(number, tuple(prompt), sampling, logprobs=logprobs, shift=shift, constraint=constraint)


def run(toys, engine, *requests):
    answers = toys.run(engine, *requests, steps=100_000)
    engine.close()
    return answers


def text(answer):
    return bytes(65 + token for token in answer.tokens).decode()


def test_answers_obey_and_end(toys):
    _, engine = make(toys)
    answers = run(toys, engine, *(held(n, [n, 1, 2], temperature=2.0, seed=n) for n in range(1, 9)))
    for answer in answers.values():
        assert answer.finish is FinishReason.STOP
        assert re.fullmatch(SCRIPT, text(answer))
    assert len({text(answer) for answer in answers.values()}) > 1


def test_forced_tokens_are_computed_in_one_batch(toys):
    decoder, engine = make(toys)
    answer = run(toys, engine, held(1, [1, 2, 3]))[1]
    assert len(answer.tokens) == 26
    # Twelve letters are chosen; the last of each run comes with what must follow it.
    assert len(decoder.batches) == 1 + 12
    assert max(tokens for batch in decoder.batches for _, tokens in batch) > 6


def test_free_requests_are_what_they_are_alone(toys):
    _, engine = make(toys)
    free = [toys.greedy(n, [n] * 4, num_predict=30) for n in range(1, 4)]
    answers = run(toys, engine, *free, *(held(n, [n] * 4) for n in range(4, 7)))
    for request in free:
        assert (answers[request.id].tokens, answers[request.id].finish) == toys.expected(request, 100)
    for number in range(4, 7):
        assert re.fullmatch(SCRIPT, text(answers[number]))


def test_num_predict_cuts_forced_tokens(toys):
    for most in (1, 3, 11, 25):
        _, engine = make(toys)
        answer = run(toys, engine, held(1, [1], num_predict=most))[1]
        assert (len(answer.tokens), answer.finish) == (most, FinishReason.LENGTH)
    _, engine = make(toys)
    assert run(toys, engine, held(1, [1], num_predict=26))[1].finish is FinishReason.STOP


def test_a_full_context_ends_the_answer_or_shifts(toys):
    _, engine = make(toys, context=16, cells=64)
    answer = run(toys, engine, held(1, [1] * 10, shift=False))[1]
    assert (len(answer.tokens), answer.finish) == (6, FinishReason.LENGTH)
    _, engine = make(toys, context=16, cells=64)
    answer = run(toys, engine, held(1, [1] * 10))[1]
    assert answer.finish is FinishReason.STOP
    assert re.fullmatch(SCRIPT, text(answer))


@pytest.mark.parametrize(
    "shape", [{"cells": 60}, {"cells": 60, "copies": False, "trims": False}, {"hidden_cells": 930}]
)
def test_stepping_back_changes_no_answer(toys, shape):
    requests = [held(n, [n, 5, 6], temperature=1.0, seed=n) for n in range(1, 6)]
    _, alone = make(toys)
    wanted = {n: text(answer) for n, answer in run(toys, alone, *requests).items()}
    _, engine = make(toys, **shape)
    assert {n: text(answer) for n, answer in run(toys, engine, *requests).items()} == wanted


def test_logprobs_have_one_entry_for_each_token(toys):
    _, engine = make(toys)
    answer = run(toys, engine, held(1, [1, 2], logprobs=True))[1]
    assert re.fullmatch(SCRIPT, text(answer))
    entries = [entry for event in answer.events for entry in event.logprobs]
    assert [entry.token for entry in entries] == answer.tokens


def test_a_faulty_grammar_is_refused_and_others_go_on(toys):
    _, engine = make(toys)
    free = toys.greedy(2, [2] * 4, num_predict=20)
    answers = run(toys, engine, held(1, [1], "("), free, held(3, [3]))
    assert isinstance(answers[1].error, RequestError)
    assert "unclosed group" in answers[1].error.message
    assert answers[2].tokens == toys.expected(free, 100)[0]
    assert re.fullmatch(SCRIPT, text(answers[3]))


def test_cancelling_before_the_grammar_is_ready(toys):
    _, engine = make(toys)
    engine.submit(held(1, [1]))
    engine.step()
    engine.cancel(1)
    assert not engine.busy
    assert re.fullmatch(SCRIPT, text(run(toys, engine, held(2, [1]))[2]))
