"""Prefixes that had to leave the KV cache and come back."""

import numpy as np
import pytest

from camelid.decoding.archive import PrefixArchive
from camelid.decoding.prefix import SavedPrefix
from camelid.decoding.scheduler import Scheduler
from camelid.errors import UnsupportedCapabilityError


def tokens(*parts: tuple[int, int]):
    return np.array([token for token, count in parts for _ in range(count)], np.int32)


def test_the_longest_common_prefix_is_found():
    archive = PrefixArchive(1000)
    archive.keep(SavedPrefix(tokens((1, 40)), b"a"))
    archive.keep(SavedPrefix(tokens((1, 20), (2, 30)), b"b"))
    assert archive.best(tokens((1, 20), (2, 5)))[0] == 25
    assert archive.best(tokens((1, 20), (2, 5)))[1].state == b"b"
    assert archive.best(tokens((1, 30)))[1].state == b"a"
    assert archive.best(tokens((3, 30))) == (0, None)


def test_what_a_longer_one_contains_is_dropped():
    archive = PrefixArchive(1000)
    archive.keep(SavedPrefix(tokens((1, 40)), b"a" * 10))
    archive.keep(SavedPrefix(tokens((1, 50)), b"b" * 12))
    assert archive.used == 12
    assert not archive.wants(tokens((1, 45)))
    assert archive.wants(tokens((1, 51)))
    assert not archive.wants(tokens((9, 5)))


def test_the_least_recently_used_go():
    archive = PrefixArchive(30)
    for token in (1, 2, 3):
        archive.keep(SavedPrefix(tokens((token, 40)), b"x" * 10))
    archive.best(tokens((1, 40)))
    archive.keep(SavedPrefix(tokens((4, 40)), b"x" * 10))
    assert [archive.best(tokens((token, 40)))[0] for token in (1, 2, 3, 4)] == [40, 0, 40, 40]
    archive.keep(SavedPrefix(tokens((5, 40)), b"x" * 31))
    assert archive.used == 30


def conversations(toys, *, memory, rounds=3, **shape):
    """Five conversations that take turns over two sequences; the decoder, and the answers."""
    decoder = toys.BatchDecoder(sequences=2, cells=400, context=200, batch=64, **shape)
    engine = Scheduler(
        decoder, toys.Tokenizer(), archive=PrefixArchive(memory) if memory else None, draft_tokens=0, clock=lambda: 0.0
    )
    prompts = {number: [number] * 60 for number in range(1, 6)}
    answers = []
    for turn in range(rounds):
        for number, prompt in prompts.items():
            request = toys.greedy(10 * turn + number, prompt, num_predict=4)
            answer = toys.run(engine, request)[request.id]
            assert answer.tokens == toys.expected(request, 200)[0]
            answers.append(answer)
            prompt += [*answer.tokens, number]
    return decoder, answers


def test_conversations_that_take_turns_are_not_computed_again(toys):
    plain, _ = conversations(toys, memory=0)
    decoder, answers = conversations(toys, memory=100_000)
    assert plain.computed > 5 * 3 * 60
    assert decoder.computed < 5 * 60 + 5 * 3 * 10
    assert decoder.restored > 5 * 2 * 55
    assert answers[-1].events[0].cached_tokens >= 60


def test_a_memory_too_small_is_no_harm(toys):
    decoder, _ = conversations(toys, memory=50)
    assert decoder.restored == 0


def test_a_state_that_cannot_be_restored_is_computed(toys):
    decoder = toys.BatchDecoder(sequences=2, cells=400, context=200, batch=64)
    decoder.forgetful = True
    engine = Scheduler(decoder, toys.Tokenizer(), archive=PrefixArchive(100_000), clock=lambda: 0.0)
    for number in (1, 2, 3, 1, 2, 3):
        request = toys.greedy(number, [number] * 60, num_predict=4)
        assert toys.run(engine, request)[number].tokens == toys.expected(request, 200)[0]
    assert decoder.restored == 0


def test_a_decoder_that_cannot_save_is_asked_once(toys):
    asked = []

    class Decoder(toys.BatchDecoder):
        def save(self, sequence):
            asked.append(sequence)
            raise UnsupportedCapabilityError("no")

    engine = Scheduler(Decoder(sequences=1), toys.Tokenizer(), archive=PrefixArchive(1000), clock=lambda: 0.0)
    for number in (1, 2, 3):
        toys.run(engine, toys.greedy(number, [number] * 60, num_predict=2))
    assert len(asked) == 1


@pytest.mark.parametrize("memory", [0, 100_000])
def test_who_had_to_step_back_goes_on(toys, memory):
    decoder = toys.BatchDecoder(sequences=3, cells=260, context=200, batch=64)
    engine = Scheduler(
        decoder, toys.Tokenizer(), archive=PrefixArchive(memory) if memory else None, draft_tokens=0, clock=lambda: 0.0
    )
    requests = [toys.greedy(number, [number] * 70, num_predict=60) for number in (1, 2, 3)]
    answers = toys.run(engine, *requests)
    for request in requests:
        assert answers[request.id].tokens == toys.expected(request, 200)[0]
    assert bool(decoder.restored) == bool(memory)


def beside_a_long_answer(toys, *, archive, idle, **shape):
    """Prompts are computed and left idle, then another request generates for long.

    Returns:
        The decoder, the engine, and how many of the prompts are still in the cache.
    """
    decoder = toys.BatchDecoder(sequences=3, cells=2000, context=600, batch=64, **shape)
    engine = Scheduler(decoder, toys.Tokenizer(), archive=archive, draft_tokens=0, clock=lambda: 0.0)
    toys.run(engine, *(toys.greedy(number, prompt, num_predict=8) for number, prompt in enumerate(idle)))
    before = [len(history) for history in decoder.histories]
    long = next(
        request
        for number in range(10, 50)
        if len(toys.expected(request := toys.greedy(number, [number], num_predict=200), 600)[0]) == 200
    )
    assert toys.run(engine, long)[long.id].tokens == toys.expected(long, 600)[0]
    after = [len(history) for history in decoder.histories]
    return decoder, engine, sum(length == kept for length, kept in zip(before, after, strict=True) if length)


def test_an_idle_prefix_leaves_the_cache_while_others_generate_and_comes_back(toys):
    archive = PrefixArchive(10_000)
    decoder, engine, left = beside_a_long_answer(toys, archive=archive, idle=[[1] * 60, [2] * 70])
    assert left == 0
    assert archive.used >= 130
    again = toys.run(engine, toys.greedy(5, [2] * 70 + [3], num_predict=1))[5]
    assert again.events[0].cached_tokens >= 70
    assert decoder.restored >= 70


@pytest.mark.parametrize("archive", [None, PrefixArchive(50)])
def test_an_idle_prefix_stays_where_there_is_no_place_for_it(toys, archive):
    decoder, _, left = beside_a_long_answer(toys, archive=archive, idle=[[1] * 60, [2] * 70])
    assert left >= 1
    assert decoder.restored == 0


def test_cells_that_others_share_stay(toys):
    archive = PrefixArchive(10_000)
    *_, left = beside_a_long_answer(toys, archive=archive, idle=[[1] * 80 + [2] * 3, [1] * 80 + [3] * 3])
    assert left == 2
    assert archive.used == 0
