import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.decoding.sampling import LogitsSampler, resolve_seed, top_tokens
from camelid.errors import ModelError
from camelid.types.options import SamplingOptions


def sampler(logits, prompt=(0,), seed=1, context=100, **options):
    array = np.asarray(logits, np.float32)
    array.flags.writeable = False
    return LogitsSampler(lambda row: array, SamplingOptions(**options), seed, prompt, context)


def drawn(sampled, count=400):
    return [sampled.sample(0) for _ in range(count)]


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 999), st.booleans())
def test_top_tokens_are_those_of_a_full_sort(size, count, seed, ties):
    logits = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    if ties:
        logits = np.round(logits)
    assert top_tokens(logits, count).tolist() == np.argsort(-logits, kind="stable")[:count].tolist()


@given(st.integers(1, 400), st.integers(1, 60), st.integers(0, 999), st.floats(0, 1))
def test_top_tokens_among_few_possible_ones(size, count, seed, share):
    generator = np.random.default_rng(seed)
    logits = generator.standard_normal(size).astype(np.float32)
    logits[generator.random(size) < share] = -np.inf
    possible = int(np.isfinite(logits).sum())
    wanted = np.argsort(-logits, kind="stable")[: min(count, possible)].tolist()
    assert top_tokens(logits, count).tolist()[: len(wanted)] == wanted


def test_impossible_tokens_are_never_chosen():
    logits = np.full(1000, -np.inf)
    logits[[3, 700]] = 0.0, -1.0
    for options in ({}, {"top_k": 0}, {"top_k": 0, "top_p": 1.0}, {"typical_p": 0.5}, {"repeat_penalty": 1.3}):
        assert set(drawn(sampler(logits, prompt=(3, 5), temperature=2.0, **options), 100)) <= {3, 700}


def test_temperature_0_is_greedy():
    assert drawn(sampler([0.0, 3.0, 2.9], temperature=0), 5) == [1] * 5


def test_equal_seeds_give_equal_tokens_and_others_do_not():
    logits = np.zeros(50)
    assert drawn(sampler(logits, seed=7)) == drawn(sampler(logits, seed=7))
    assert drawn(sampler(logits, seed=7)) != drawn(sampler(logits, seed=8))


def test_frequencies_are_those_of_the_distribution():
    chances = np.array([0.5, 0.3, 0.2])
    tokens = drawn(sampler(np.log(chances), temperature=1.0, top_p=1.0), 5000)
    assert np.bincount(tokens, minlength=3) / 5000 == pytest.approx(chances, abs=0.03)


def test_temperature_sharpens_and_flattens():
    logits = np.log([0.7, 0.3])
    cold = drawn(sampler(logits, temperature=0.2, top_p=1.0)).count(0)
    hot = drawn(sampler(logits, temperature=5.0, top_p=1.0)).count(0)
    assert cold > 380
    assert hot < 260
    assert set(drawn(sampler(logits, temperature=1e-30, top_p=1.0))) == {0}


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"top_k": 2, "top_p": 1.0}, {0, 1}),
        ({"top_k": 1, "top_p": 1.0}, {0}),
        ({"top_k": 0, "top_p": 1.0}, {0, 1, 2, 3}),
        ({"top_k": 99, "top_p": 1.0}, {0, 1, 2, 3}),
        ({"top_k": 0, "top_p": 0.75}, {0, 1}),
        ({"top_k": 0, "top_p": 0.0}, {0}),
        ({"top_k": 0, "top_p": 1.0, "min_p": 0.3}, {0, 1}),
        ({"top_k": 0, "top_p": 1.0, "min_p": 2.0}, {0}),
        # Entropy is 1.09 nats, the surprise of 0.3 is 1.20, of 0.5 is 0.69: the second token is the most typical one.
        ({"top_k": 0, "top_p": 1.0, "typical_p": 0.2}, {1}),
        ({"top_k": 0, "top_p": 1.0, "typical_p": 0.6}, {0, 1}),
    ],
)
def test_cuts_keep_the_right_tokens(options, kept):
    logits = np.log([0.5, 0.3, 0.14, 0.06])
    assert set(drawn(sampler(logits, temperature=1.0, **options))) == kept


def test_repeat_penalty_divides_positive_and_multiplies_negative_logits():
    options = {"temperature": 0, "repeat_penalty": 2.0}
    assert sampler([3.0, 2.0], prompt=(0,), **options).sample(0) == 1
    assert sampler([3.0, 1.0], prompt=(0,), **options).sample(0) == 0
    assert sampler([-1.0, -1.5], prompt=(0,), **options).sample(0) == 1


def test_repeat_penalty_of_zero_is_none():
    assert sampler([3.0, 2.0], prompt=(1,), temperature=0, repeat_penalty=0.0).sample(0) == 0


@pytest.mark.parametrize("spread", [0.1, 2.0])
def test_nucleus_of_a_large_vocabulary_is_that_of_a_full_sort(spread):
    logits = (np.random.default_rng(1).gumbel(size=9000) * spread).astype(np.float32)
    chances = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum()
    order = np.argsort(-logits, kind="stable")
    nucleus = set(order[: int(np.searchsorted(np.cumsum(chances[order]), 0.5)) + 1].tolist())
    tokens = drawn(sampler(logits, temperature=30.0, top_k=0, top_p=0.5), 30 * len(nucleus) if spread > 1 else 500)
    assert set(tokens) <= nucleus
    assert spread < 1 or set(tokens) == nucleus


def test_presence_counts_once_and_frequency_every_time():
    assert sampler([3.0, 1.5], prompt=(0, 0), temperature=0, presence_penalty=1.0).sample(0) == 0
    assert sampler([3.0, 1.5], prompt=(0, 0), temperature=0, frequency_penalty=1.0).sample(0) == 1


@pytest.mark.parametrize(("last", "chosen"), [(0, 0), (1, 0), (2, 1), (-1, 1)])
def test_penalties_look_back_on_the_last_tokens(last, chosen):
    penalised = sampler([3.0, 2.0, 0.0], (0, 2), context=2, temperature=0, repeat_penalty=9.0, repeat_last_n=last)
    assert penalised.sample(0) == chosen


def test_penalties_forget_what_has_left_the_window():
    chosen = sampler([3.0, 2.9, 2.8], (), temperature=0, presence_penalty=1.0, repeat_last_n=2)
    assert drawn(chosen, 7) == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("bad", [[np.nan, np.nan], [-np.inf, -np.inf], [0.0, np.inf]])
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_logits_that_are_no_numbers_are_a_model_error(bad, temperature):
    with pytest.raises(ModelError, match="no valid probabilities"):
        sampler(bad, temperature=temperature).sample(0)


def test_seeds():
    assert resolve_seed(5) == 5
    assert resolve_seed(-2) == 0xFFFF_FFFE
    assert len({resolve_seed(-1) for _ in range(8)}) > 1


def test_a_logit_bias_is_added_before_anything_is_cut():
    logits = np.array([3.0, 2.0, 1.0, 0.0])
    assert drawn(sampler(logits, temperature=0, logit_bias=((2, 2.5),)), 2) == [2, 2]
    assert set(drawn(sampler(logits, temperature=1, top_k=1, logit_bias=((0, -100.0), (1, -100.0))), 20)) == {2}
    assert drawn(sampler(logits, temperature=0, logit_bias=((4, 100.0), (10**9 - 1, 100.0))), 1) == [0]


def test_a_logit_bias_makes_nothing_impossible_possible():
    assert drawn(sampler([-np.inf, 0.0], temperature=0, logit_bias=((0, 100.0),)), 1) == [1]


def test_a_logit_bias_and_penalties_add_up():
    biased = sampler([0.0, 3.0], temperature=0, logit_bias=((0, 2.0),), presence_penalty=1.5, prompt=(1,))
    assert drawn(biased, 1) == [0]
