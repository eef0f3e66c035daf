import numpy as np
import pytest

from camelid.contracts.batch import Batch
from camelid.decoding.lift import lift
from camelid.decoding.single import SingleSequence


def test_one_sequence_that_fills_the_context(toys):
    limits = SingleSequence(toys.Decoder(context=100)).limits
    assert (limits.sequences, limits.cells, limits.context_length, limits.batch_tokens) == (1, 100, 100, 100)
    assert SingleSequence(toys.Decoder(context=4096)).limits.batch_tokens == 512


def test_feeds_batches_and_keeps_the_last_logits(toys):
    decoder = toys.Decoder()
    single = SingleSequence(decoder)
    with pytest.raises(LookupError):
        single.logits(0)
    batch = Batch(8)
    batch.add(0, [1, 2, 3], 0, output=True)
    single.decode(batch)
    assert decoder.fed == [[1, 2, 3]]
    assert all(type(token) is int for token in decoder.fed[0])
    assert np.array_equal(single.logits(2), toys.logits([1, 2, 3]))


def test_trim_is_the_decoders_but_forgetting_always_works(toys):
    decoder = toys.Decoder(trims=False)
    single = SingleSequence(decoder)
    batch = Batch(8)
    batch.add(0, [1, 2, 3], 0, output=True)
    single.decode(batch)
    assert single.trim(0, 3)
    assert not single.trim(0, 2)
    assert decoder.history == [1, 2, 3]
    assert single.trim(0, 0)
    assert decoder.history == []


@pytest.mark.parametrize("trims", [True, False])
def test_requests_one_after_another_give_what_they_give_alone(toys, trims):
    decoder = toys.Decoder(context=40, trims=trims)
    requests = [toys.greedy(number, [*range(10), number], num_predict=20) for number in range(4)]
    requests.append(toys.greedy(4, range(7), num_predict=20))
    answers = toys.run(lift(decoder, toys.Tokenizer()), *requests)
    for request in requests:
        assert (answers[request.id].tokens, answers[request.id].finish) == toys.expected(request, 40)
    assert answers[1].events[0].cached_tokens == (10 if trims else 0)


def test_continuing_needs_no_trim(toys):
    decoder = toys.Decoder(trims=False)
    engine = lift(decoder, toys.Tokenizer())
    first = toys.greedy(1, range(20), num_predict=5)
    answer = toys.run(engine, first)[1].tokens
    second = toys.greedy(2, [*range(20), *answer, 5, 6], num_predict=5)
    again = toys.run(engine, second)[2]
    assert again.events[0].cached_tokens == 24
    assert (again.tokens, again.finish) == toys.expected(second, 100)
