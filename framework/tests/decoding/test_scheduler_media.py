"""Pictures among the tokens of prompts."""

import pytest

from camelid.contracts.media import media_tokens
from camelid.decoding.scheduler import Scheduler
from camelid.errors import ModelError, ModelMemoryError, UnsupportedCapabilityError


def make(toys, **shape):
    decoder = toys.BatchDecoder(**shape)
    return decoder, Scheduler(decoder, toys.Tokenizer(), clock=lambda: 0.0)


def test_a_picture_is_seen_where_it_stands(toys):
    decoder, engine = make(toys)
    request = toys.greedy(1, [59, 3, toys.Media(b"\x07", 5), 4, toys.Media(b"\x08", 2), 6, 6], num_predict=9)
    answers = toys.run(engine, request)
    assert answers[1].tokens == toys.expected(request, 100)[0]
    assert decoder.media_computed == 2
    other = toys.greedy(2, [59, 3, toys.Media(b"\x08", 5), 4, toys.Media(b"\x07", 2), 6, 6], num_predict=9)
    assert toys.run(engine, other)[2].tokens == toys.expected(other, 100)[0]
    assert decoder.media_computed == 4


def test_the_same_picture_in_the_same_place_is_computed_once(toys):
    decoder, engine = make(toys)
    beginning = [59, 3, toys.Media(b"\x07", 20), 4]
    toys.run(engine, toys.greedy(1, [*beginning, 5, 5], num_predict=2))
    again = toys.greedy(2, [59, 3, toys.Media(b"\x07", 20), 4, 9, 9, 9], num_predict=4)
    answers = toys.run(engine, again)
    assert answers[2].tokens == toys.expected(again, 100)[0]
    assert answers[2].events[0].cached_tokens == 23
    assert decoder.media_computed == 1


def test_two_that_arrive_together_compute_a_common_picture_once(toys):
    decoder, engine = make(toys)
    requests = [
        toys.greedy(number, [59, 3, toys.Media(b"\x07", 40), 4, number, number], num_predict=3) for number in (1, 2)
    ]
    answers = toys.run(engine, *requests)
    assert [answers[number].tokens for number in (1, 2)] == [toys.expected(each, 100)[0] for each in requests]
    assert decoder.media_computed == 1


def test_others_go_on_beside_a_picture(toys):
    _, engine = make(toys, batch=4)
    engine.submit(toys.greedy(1, [5, 5], num_predict=30))
    engine.step()
    engine.submit(toys.greedy(2, [59, toys.Media(b"\x07", 40), 4], num_predict=3))
    assert 1 in {event.id for event in engine.step()}


def test_the_penalties_look_back_on_text_only(toys):
    decoder, engine = make(toys)
    seen = []

    def sampler(options, seed, prompt):
        seen.append(list(prompt))

    decoder.sampler = sampler
    toys.run(engine, toys.greedy(1, [59, 3, toys.Media(b"\x07", 5), 4], num_predict=2))
    assert seen == [[59, 3, 4]]


def test_with_a_picture_the_context_does_not_shift(toys):
    _, engine = make(toys, context=20, cells=80)
    request = toys.greedy(1, [59, toys.Media(b"\x07", 10), 4])
    answer = toys.run(engine, request)[1]
    assert answer.finish == "length"
    assert len(answer.tokens) <= 8


def test_a_picture_that_has_no_room_in_the_cache_is_refused(toys):
    _, engine = make(toys, cells=100, hidden_cells=60)
    answers = toys.run(engine, toys.greedy(1, [59, toys.Media(b"\x07", 50), 4]), toys.greedy(2, [5], num_predict=3))
    assert isinstance(answers[1].error, ModelMemoryError)
    assert len(answers[2].tokens) == 3


@pytest.mark.parametrize("error", [UnsupportedCapabilityError("no pictures"), RuntimeError("a bug")])
def test_a_decoder_that_fails_fails_this_request_only(toys, error):
    decoder, engine = make(toys)
    engine.submit(toys.greedy(1, [59, toys.Media(b"\x07", 5), 4]))

    def decode_media(*_):
        raise error

    decoder.decode_media = decode_media
    answers = toys.run(engine, toys.greedy(2, [5], num_predict=3))
    assert isinstance(answers[1].error, type(error) if isinstance(error, UnsupportedCapabilityError) else ModelError)
    assert len(answers[2].tokens) == 3


def test_the_ids_of_pictures_depend_on_their_content_and_place(toys):
    one = media_tokens(toys.Media(b"one", 30))
    assert one == media_tokens(toys.Media(b"one", 30))
    assert one != media_tokens(toys.Media(b"two", 30))
    assert len(set(one)) == 30
    assert all(-(2**31) <= number < 0 for number in one)
