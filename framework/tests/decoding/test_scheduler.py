import pytest

from camelid.contracts.engine import EngineRequest
from camelid.contracts.sampler import Sampler
from camelid.decoding.lift import lift
from camelid.decoding.scheduler import Scheduler
from camelid.errors import ModelError, ModelMemoryError, PromptTooLongError, RequestError
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions


def make(toys, **shape):
    decoder = toys.BatchDecoder(**shape)
    return decoder, Scheduler(decoder, toys.Tokenizer(), clock=lambda: 0.0)


def long_talker(toys, start, context=10_000, tokens=30, length=3):
    """A prompt whose answer does not end within `tokens`."""
    for first in range(start, start + 50):
        prompt = [first % 59] * length
        if len(toys.expected(toys.greedy(0, prompt, num_predict=tokens), context)[0]) == tokens:
            return prompt
    raise AssertionError("every answer is short")


def test_many_requests_share_batches(toys):
    decoder, engine = make(toys, sequences=4, batch=64)
    requests = [toys.greedy(number, long_talker(toys, number * 7), num_predict=20) for number in range(4)]
    answers = toys.run(engine, *requests)
    assert [answers[request.id].tokens for request in requests] == [
        toys.expected(request, 100)[0] for request in requests
    ]
    assert len(decoder.batches) == 20


def test_generating_sequences_come_first_in_a_batch(toys):
    decoder, engine = make(toys, sequences=3, context=400, cells=1200, batch=16)
    engine.submit(toys.greedy(1, long_talker(toys, 0)))
    engine.step()
    engine.submit(toys.greedy(2, [7] * 200))
    for _ in range(5):
        events = engine.step()
        assert [event.id for event in events] == [1]
        assert [tokens for _, tokens in decoder.batches[-1]] == [1, 15]


def test_short_prompt_overtakes_a_long_one(toys):
    _, engine = make(toys, sequences=3, context=400, cells=1200, batch=16)
    engine.submit(toys.greedy(1, [7] * 300))
    engine.step()
    engine.submit(toys.greedy(2, [8] * 20, num_predict=1))
    answers = toys.Answers()
    for _ in range(3):
        answers.take(engine.step())
    assert answers[2].ended
    assert 1 not in answers


def test_waiting_requests_start_in_order(toys):
    _, engine = make(toys, sequences=1)
    for number in range(4):
        engine.submit(toys.greedy(number, [number] * 3, num_predict=2))
    ended = []
    while engine.busy:
        ended += [event.id for event in engine.step() if event.finish]
    assert ended == [0, 1, 2, 3]


def test_follow_up_continues_in_its_slot(toys):
    decoder, engine = make(toys)
    first = toys.greedy(1, [1, 2, 3, 4], num_predict=6)
    answer = toys.run(engine, first)[1].tokens
    before = decoder.computed
    second = toys.greedy(2, [1, 2, 3, 4, *answer, 9, 9], num_predict=1)
    event = toys.run(engine, second)[2].events[0]
    # The last token of the first answer was never computed, because nothing followed it.
    assert event.cached_tokens == 3 + len(answer)
    assert decoder.computed - before == 3


def test_same_prompt_again_computes_one_token(toys):
    decoder, engine = make(toys)
    for number in range(2):
        before = decoder.computed
        toys.run(engine, toys.greedy(number, [5] * 30, num_predict=1))
    assert decoder.computed - before == 1


def test_prefix_of_a_running_sequence_is_copied(toys):
    decoder, engine = make(toys, batch=64)
    system = [59, *range(40)]
    engine.submit(toys.greedy(1, [*system, 1], num_predict=50))
    engine.step()
    before = decoder.computed
    second = toys.greedy(2, [*system, 2, 3], num_predict=1)
    engine.submit(second)
    events = {event.id: event for event in engine.step()}
    assert events[2].cached_tokens == len(system)
    assert decoder.computed - before == 1 + 2
    assert list(events[2].tokens) == toys.expected(second, 100)[0]


def test_new_prefix_shared_by_many_is_computed_once(toys):
    decoder, engine = make(toys, sequences=4, context=400, cells=1600, batch=32)
    system = [59] + [3, 1, 4, 1, 5, 9, 2, 6] * 25
    requests = [toys.greedy(number, [*system, number], num_predict=1) for number in range(4)]
    answers = toys.run(engine, *requests)
    assert decoder.computed == len(system) + 4
    assert [answers[number].tokens for number in range(4)] == [toys.expected(each, 400)[0] for each in requests]


def test_followers_go_on_when_their_leader_is_cancelled(toys):
    decoder, engine = make(toys, sequences=4, context=400, cells=1600, batch=32)
    system = [59] + [3, 1, 4, 1, 5, 9, 2, 6] * 25
    requests = [toys.greedy(number, [*system, number], num_predict=1) for number in range(3)]
    for request in requests:
        engine.submit(request)
    engine.step()
    engine.cancel(0)
    answers = toys.run(engine)
    assert sorted(answers) == [1, 2]
    assert decoder.computed == len(system) + 2


def test_idle_conversation_survives_one_that_shares_only_its_beginning(toys):
    _, engine = make(toys, sequences=2, context=400, cells=800, batch=400)
    toys.run(engine, toys.greedy(1, [*range(20), *[7] * 200], num_predict=1))
    toys.run(engine, toys.greedy(2, [*range(20), *[8] * 10], num_predict=1))
    again = toys.run(engine, toys.greedy(3, [*range(20), *[7] * 200, 1], num_predict=1))
    assert again[3].events[0].cached_tokens == 220


def test_shifted_slot_offers_only_its_kept_beginning(toys):
    _, engine = make(toys, sequences=1, context=20, cells=20)
    prompt = long_talker(toys, 0, context=20)
    request = toys.greedy(1, prompt, num_predict=30)
    assert toys.run(engine, request)[1].tokens == toys.expected(request, 20)[0]
    held = engine._cache.slots[0]
    again = toys.greedy(2, [*held.tokens[: held.length].tolist(), 1], num_predict=1)
    assert toys.run(engine, again)[2].events[0].cached_tokens == 3


@pytest.mark.parametrize("shifts", [True, False])
def test_full_context_shifts_or_finishes_with_length(toys, shifts):
    _, engine = make(toys, context=20, shifts=shifts)
    prompt = long_talker(toys, 0, context=20)
    moving = toys.greedy(1, prompt, num_predict=30)
    fixed = toys.greedy(2, prompt, num_predict=30, shift=False)
    answers = toys.run(engine, moving, fixed)
    assert len(answers[1].tokens) == 30
    assert answers[1].tokens == toys.expected(moving, 20)[0]
    assert len(answers[2].tokens) == 20 - len(prompt)
    assert answers[2].finish is FinishReason.LENGTH


@pytest.mark.parametrize("shifts", [True, False])
def test_shared_cells_are_not_moved(toys, shifts):
    _, engine = make(toys, sequences=2, context=40, cells=80, batch=64, shifts=shifts)
    prefix = long_talker(toys, 0, context=40, length=30)
    first = toys.greedy(1, [*prefix, 1], num_predict=60, num_keep=0)
    second = toys.greedy(2, [*prefix, 2], num_predict=60, num_keep=0)
    engine.submit(first)
    engine.step()
    answers = toys.run(engine, second)
    assert answers[2].events[0].cached_tokens == 30
    assert answers[2].tokens == toys.expected(second, 40)[0]


def test_endless_answer_is_bounded_by_ten_contexts(toys):
    decoder, engine = make(toys, context=20)
    decoder.sampler = lambda options, seed, prompt: Parrot()  # never chooses an end token
    for number, wanted in enumerate((-1, 0, -2, 100_000)):
        answer = toys.run(engine, toys.greedy(number, [1, 2], num_predict=wanted))[number]
        assert (len(answer.tokens), answer.finish) == (200, FinishReason.LENGTH)


def test_requests_that_can_never_fit_are_refused_with_the_numbers(toys):
    _, engine = make(toys, context=100, cells=50)
    assert engine.context_length == 50
    engine.submit(toys.greedy(1, [1] * 50))
    engine.submit(EngineRequest(2, ()))
    engine.submit(toys.greedy(3, [1] * 49, num_predict=1))
    answers = toys.run(engine)
    assert isinstance(answers[1].error, PromptTooLongError)
    assert "50 tokens" in str(answers[1].error)
    assert isinstance(answers[2].error, RequestError)
    assert answers[3].error is None


def test_youngest_steps_back_when_the_cache_is_full_and_answers_the_same(toys):
    decoder, engine = make(toys, sequences=3, context=60, cells=70, batch=64)
    prompts = [long_talker(toys, 9 * number, context=60, tokens=40, length=9) for number in range(3)]
    requests = [toys.greedy(number, prompt, num_predict=40) for number, prompt in enumerate(prompts)]
    answers = toys.run(engine, *requests)
    for request in requests:
        assert (answers[request.id].tokens, answers[request.id].finish) == toys.expected(request, 60)
    assert decoder.computed > sum(len(request.prompt) for request in requests) + 3 * 40


def test_prompt_waits_until_it_fits_instead_of_pushing_out_and_being_pushed(toys):
    decoder, engine = make(toys, sequences=2, context=60, cells=70, batch=64)
    first = toys.greedy(1, long_talker(toys, 0, tokens=20, length=30), num_predict=20)
    second = toys.greedy(2, long_talker(toys, 50, tokens=20, length=30), num_predict=20)
    toys.run(engine, first, second)
    assert decoder.computed == 2 * (30 + 20 - 1)


def test_who_stepped_back_goes_on_before_those_who_came_later(toys):
    _, engine = make(toys, sequences=3, context=100, cells=100, batch=200)
    prompts = [long_talker(toys, 11 * number, tokens=40, length=5) for number in range(4)]
    for number, prompt in enumerate(prompts):
        engine.submit(toys.greedy(number, prompt, num_predict=40))
    ended = []
    while engine.busy:
        ended += [event.id for event in engine.step() if event.finish]
    assert ended == [0, 1, 2, 3]


def test_batches_smaller_than_the_number_of_sequences_starve_nobody(toys):
    _, engine = make(toys, sequences=4, context=100, cells=400, batch=2)
    for number in range(4):
        engine.submit(toys.greedy(number, long_talker(toys, 11 * number, tokens=40)))
    answers = toys.Answers()
    for _ in range(40):
        answers.take(engine.step())
    lengths = [len(answers[number].tokens) for number in range(4)]
    assert min(lengths) > 10
    assert max(lengths) - min(lengths) < 15


def test_sampler_survives_stepping_back(toys):
    def answers_of(cells):
        _, engine = make(toys, sequences=3, context=60, cells=cells, batch=64)
        sampling = SamplingOptions(seed=3, temperature=1.5, num_predict=40, repeat_penalty=1.3, stop=())
        requests = [EngineRequest(number, (number,) * 9, sampling) for number in range(3)]
        return [answer.tokens for answer in map(toys.run(engine, *requests).get, range(3))]

    assert answers_of(70) == answers_of(1000)


def test_decoder_with_less_room_than_it_says(toys):
    _, engine = make(toys, sequences=3, context=60, cells=200, hidden_cells=120, batch=64)
    requests = [toys.greedy(number, [number] * 50, num_predict=10) for number in range(3)]
    answers = toys.run(engine, *requests)
    for request in requests:
        assert (answers[request.id].tokens, answers[request.id].finish) == toys.expected(request, 60)


def test_request_that_does_not_fit_after_all_fails_alone(toys):
    decoder, engine = make(toys, sequences=2, context=60, cells=60, hidden_cells=40, batch=64)
    large, small = toys.greedy(1, [1] * 50, num_predict=3), toys.greedy(2, [2] * 10, num_predict=3)
    answers = toys.run(engine, large, small)
    assert isinstance(answers[1].error, ModelMemoryError)
    assert answers[2].tokens == toys.expected(small, 60)[0]
    decoder.hidden_cells = 0
    assert toys.run(engine, large)[1].tokens == toys.expected(large, 60)[0]


@pytest.mark.parametrize("error", [ModelError("broken", reason="why"), ZeroDivisionError("why")])
def test_failing_decoder_fails_the_batch_and_stays_usable(toys, error):
    decoder, engine = make(toys, sequences=2)
    for number in range(3):
        engine.submit(toys.greedy(number, [number] * 4, num_predict=3))
    decoder.broken = error
    answers = toys.Answers()
    answers.take(engine.step())
    assert sorted(answers) == [0, 1]
    assert all(isinstance(answer.error, ModelError) and "why" in answer.error.reason for answer in answers.values())
    assert decoder.used == 0
    decoder.broken = None
    assert toys.run(engine)[2].tokens == toys.expected(toys.greedy(2, [2] * 4, num_predict=3), 100)[0]


class Parrot(Sampler):
    """A native sampler that says 7 a few times and then breaks."""

    def __init__(self, breaks_after: int = 10**9) -> None:
        self.left = breaks_after
        self.closed = False

    def sample(self, row: int) -> int:
        if not self.left:
            raise ValueError("no more")
        self.left -= 1
        return 7

    def close(self) -> None:
        self.closed = True


def test_native_samplers_are_used_blamed_and_closed(toys):
    decoder, engine = make(toys, sequences=2)
    given = []
    parrots = [Parrot(), Parrot(2)]

    def native(options, seed, prompt):
        given.append((options.temperature, seed, prompt))
        return parrots[len(given) - 1]

    decoder.sampler = native
    sampling = SamplingOptions(temperature=0.5, seed=11, num_predict=4)
    answers = toys.run(engine, EngineRequest(1, (1, 2), sampling), EngineRequest(2, (3, 4), sampling))
    assert given == [(0.5, 11, (1, 2)), (0.5, 11, (3, 4))]
    assert (answers[1].tokens, answers[1].finish) == ([7] * 4, FinishReason.LENGTH)
    assert answers[2].tokens == [7, 7]
    assert "no more" in answers[2].error.reason
    assert all(parrot.closed for parrot in parrots)


def test_cancelled_request_gives_its_slot_to_the_next_in_the_same_step(toys):
    _, engine = make(toys, sequences=1)
    engine.submit(toys.greedy(1, long_talker(toys, 0)))
    engine.submit(toys.greedy(2, [4, 4], num_predict=1))
    engine.step()
    engine.cancel(1)
    engine.cancel(1)
    engine.cancel(77)
    assert [event.id for event in engine.step()] == [2]
    assert not engine.busy
    assert engine.step() == []


def test_refused_and_waiting_requests_can_be_cancelled(toys):
    _, engine = make(toys, sequences=1, context=20)
    engine.submit(toys.greedy(1, long_talker(toys, 0)))
    engine.submit(toys.greedy(2, [1] * 3))
    engine.submit(toys.greedy(3, [1] * 30))
    for number in (1, 2, 3):
        engine.cancel(number)
    assert not engine.busy


def test_logprobs_are_of_the_chosen_token(toys):
    _, engine = make(toys)
    request = toys.greedy(1, [1, 2], num_predict=5, logprobs=True, top_logprobs=2)
    answer = toys.run(engine, request)[1]
    entries = [entry for event in answer.events for entry in event.logprobs]
    assert [entry.token for entry in entries] == answer.tokens
    assert all(entry.top[0].token == entry.token and entry.top[0].logprob == entry.logprob for entry in entries)
    assert entries[0].text == bytes((65 + answer.tokens[0],))


def test_close_closes_everything(toys):
    decoder, engine = make(toys)
    parrot = Parrot()
    decoder.sampler = lambda options, seed, prompt: parrot
    engine.submit(toys.greedy(1, [1, 2]))
    engine.step()
    engine.close()
    assert decoder.closed
    assert parrot.closed
    assert not engine.busy


def test_lift_leaves_an_engine_as_it_is(toys):
    _, engine = make(toys)
    assert lift(engine, toys.Tokenizer()) is engine
