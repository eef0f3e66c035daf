import pytest

from camelid.bench.scenarios import SCENARIOS, embedding_texts


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_seed_brings_texts_that_were_never_seen(name):
    scenario = SCENARIOS[name]
    asks = [scenario.asks(4, 64, seed) for seed in (1, 2)]
    assert asks[0] == scenario.asks(4, 64, 1)
    assert not {ask.turns[0] for ask in asks[0]} & {ask.turns[0] for ask in asks[1]}
    assert len({ask.seed for ask in asks[0]}) == 4


def test_what_is_shared_is_long_and_what_is_distinct_begins_differently():
    shared = SCENARIOS["shared"].asks(3, 64, 1)
    assert len({ask.turns[0].content for ask in shared}) == 1
    assert len(shared[0].turns[0].content.split()) > 700
    distinct = [ask.turns[0].content[:8] for ask in SCENARIOS["distinct"].asks(16, 64, 1)]
    assert len(set(distinct)) == 16


def test_texts_to_embed_differ():
    assert len(set(embedding_texts(32, 1) + embedding_texts(32, 2))) == 64
