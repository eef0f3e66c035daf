"""Choosing tokens."""

import numpy as np
import pytest

from camelid.types import SamplingOptions
from camelid_llamacpp.candidates import Candidates

PROMPT = "Once upon a time"


@pytest.fixture
def row(driver, encode) -> int:
    """An output row of a computed batch."""
    driver.feed({0: encode(PROMPT)})
    return driver.batch.size - 1


def _draw(decoder, row, seed=1, count=24, prompt=(), **options) -> list[int]:
    sampler = decoder.sampler(SamplingOptions(**options), seed, prompt)
    tokens = [sampler.sample(row) for _ in range(count)]
    sampler.close()
    return tokens


def test_temperature_zero_takes_the_most_likely(decoder, row):
    assert _draw(decoder, row, temperature=0.0, count=3) == [int(decoder.logits(row).argmax())] * 3


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_equal_seeds_draw_equal_tokens(decoder, row, seed):
    options = {"temperature": 1.5, "top_k": 0, "top_p": 1.0}
    assert _draw(decoder, row, seed, **options) == _draw(decoder, row, seed, **options)


def test_other_seeds_draw_other_tokens(decoder, row):
    draws = {tuple(_draw(decoder, row, seed, temperature=1.5, top_k=0, top_p=1.0)) for seed in range(4)}
    assert len(draws) == 4


def _ranked(decoder, row) -> list[int]:
    return np.argsort(-decoder.logits(row)).tolist()


def test_top_k_leaves_the_k_most_likely(decoder, row):
    drawn = set(_draw(decoder, row, temperature=5.0, top_k=3, top_p=1.0, count=100))
    assert drawn == set(_ranked(decoder, row)[:3])


def test_top_p_leaves_the_likely_ones(decoder, row):
    likely = _ranked(decoder, row)
    logits = decoder.logits(row).astype(np.float64)
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    top_p = float(chances[likely[0]] + chances[likely[1]] / 2)
    assert set(_draw(decoder, row, temperature=5.0, top_k=0, top_p=top_p, count=60)) == set(likely[:2])


def test_min_p_and_typical_p_cut_the_unlikely(decoder, row):
    assert set(_draw(decoder, row, temperature=5.0, min_p=1.0, top_p=1.0)) == {_ranked(decoder, row)[0]}
    wide = set(_draw(decoder, row, temperature=5.0, top_k=0, top_p=1.0, count=60))
    typical = set(_draw(decoder, row, temperature=5.0, top_k=0, top_p=1.0, typical_p=0.2, count=60))
    assert len(typical) < len(wide)


def test_penalties_see_the_prompt(decoder, row):
    best, second = _ranked(decoder, row)[:2]
    assert _draw(decoder, row, temperature=0.0, repeat_penalty=2.0, count=1) == [best]
    assert _draw(decoder, row, temperature=0.0, repeat_penalty=2.0, count=1, prompt=[best]) == [second]


def test_penalties_see_what_was_drawn_and_forget_it_again(decoder, row):
    best, second, third = _ranked(decoder, row)[:3]
    options = {"temperature": 0.0, "presence_penalty": 1000.0}
    assert _draw(decoder, row, count=3, **options) == [best, second, third]
    assert _draw(decoder, row, count=5, repeat_last_n=2, **options) == [best, second, third, best, second]


def test_penalties_apply_to_random_draws(decoder, row):
    best = _ranked(decoder, row)[0]
    drawn = _draw(decoder, row, temperature=0.2, frequency_penalty=1000.0, prompt=[best], count=8)
    assert best not in drawn
    assert len(set(drawn)) == 8


def test_penalties_leave_the_logits_as_they_were(decoder, row):
    before = decoder.logits(row).copy()
    _draw(decoder, row, repeat_penalty=1.3, prompt=list(range(100)))
    assert np.array_equal(decoder.logits(row), before)


def test_a_row_without_logits_is_refused(decoder, row):
    with pytest.raises(IndexError):
        _draw(decoder, row - 1)


@pytest.mark.parametrize("options", [{}, {"min_p": 0.1}, {"typical_p": 0.7}, {"repeat_penalty": 1.2}], ids=str)
def test_few_candidates_give_the_tokens_that_all_would(decoder, row, monkeypatch, options):
    few = _draw(decoder, row, seed=3, temperature=1.5, **options)
    monkeypatch.setattr(decoder, "_candidates", Candidates(0))  # too few groups for anything
    assert _draw(decoder, row, seed=3, temperature=1.5, **options) == few
