import numpy as np
import pytest

from camelid.contracts.engine import EngineRequest
from camelid.decoding.lift import lift
from camelid.errors import PromptTooLongError
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions


def given(number: int, prompt: list[int], answer: list[int]) -> EngineRequest:
    # Sampling and num_predict are of no account.
    wild = SamplingOptions(temperature=2, num_predict=1)
    return EngineRequest(
        number, tuple(prompt), wild, logprobs=True, top_logprobs=1, forced=tuple(answer), distributions=True
    )


def thought(toys, prompt: list[int], answer: list[int]) -> np.ndarray:
    """What the toy thinks in each place of an answer."""
    logits = np.array([toys.logits([*prompt, *answer[:place]]) for place in range(len(answer))], np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def check(toys, answer, request: EngineRequest) -> None:
    prompt, wanted = [*request.prompt], [*request.forced]
    rows = thought(toys, prompt, wanted)
    assert (answer.tokens, answer.finish) == (wanted, FinishReason.LENGTH)
    found = [row for event in answer.events for row in event.distributions]
    assert np.array(found) == pytest.approx(rows, abs=1e-5)
    entries = [entry for event in answer.events for entry in event.logprobs]
    assert [entry.logprob for entry in entries] == pytest.approx(rows[range(len(wanted)), wanted], abs=1e-5)
    assert [entry.top[0].token for entry in entries] == rows.argmax(axis=1).tolist()


@pytest.mark.parametrize("tier", ["Decoder", "BatchDecoder"])
def test_a_given_answer_is_scored_in_both_tiers(toys, tier):
    engine = lift(getattr(toys, tier)(), toys.Tokenizer())
    request = given(1, [3, 1, 4], [1, 5, 9, 2, 6])
    check(toys, toys.run(engine, request)[1], request)


def test_an_end_token_may_be_likely_in_the_middle(toys):
    pairs = ([first, second] for first in range(59) for second in range(59))
    ends = next(pair for pair in pairs if toys.logits(pair).argmax() == toys.END)
    request = given(1, ends, [8, 8, 8])
    check(toys, toys.run(lift(toys.BatchDecoder(), toys.Tokenizer()), request)[1], request)


def test_given_and_free_answers_share_batches_and_scarce_cells(toys):
    decoder = toys.BatchDecoder(sequences=3, cells=60, context=50)
    requests = [given(number, [number, 2, 3], [(7 * number + place) % 59 for place in range(30)]) for number in (1, 2)]
    free = toys.greedy(3, [9, 2, 3], num_predict=25)
    answers = toys.run(lift(decoder, toys.Tokenizer()), *requests, free)
    for request in requests:
        check(toys, answers[request.id], request)
    assert answers[3].tokens == toys.expected(free, 50)[0]


def test_what_repeats_is_not_guessed(toys):
    decoder = toys.BatchDecoder()
    request = given(1, [1, 2, 3, 4, 5, 1, 2, 3], [4, 5, 1, 2, 3, 4, 5])
    check(toys, toys.run(lift(decoder, toys.Tokenizer()), request)[1], request)
    assert all(len(batch) == 1 for batch in decoder.batches)


@pytest.mark.parametrize(("length", "fits"), [(17, True), (18, False)])
def test_prompt_and_answer_have_to_fit_the_context(toys, length, fits):
    engine = lift(toys.BatchDecoder(context=20), toys.Tokenizer())
    request = given(1, [1, 2, 3], [5] * length)
    answer = toys.run(engine, request)[1]
    if fits:
        check(toys, answer, request)
    else:
        assert isinstance(answer.error, PromptTooLongError)


def test_distributions_come_only_if_asked_for(toys):
    engine = lift(toys.BatchDecoder(), toys.Tokenizer())
    answer = toys.run(engine, EngineRequest(1, (1, 2), forced=(3, 4)))[1]
    assert answer.tokens == [3, 4]
    assert not any(event.distributions or event.logprobs for event in answer.events)
