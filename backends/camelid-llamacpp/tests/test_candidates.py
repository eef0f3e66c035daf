"""Choosing among the few most likely tokens: the same choice as among all."""

import ctypes
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid_llamacpp.candidates import Candidates
from camelid_llamacpp.native import llama_cpp

VOCABULARY = 40_000 + 77
"""No whole number of groups."""

Logits = npt.NDArray[np.float32]


@pytest.fixture
def chain() -> Iterator[Callable[[int, int], int]]:
    """Chains of top-k and a draw."""
    chains: list[int] = []

    def make(count: int, seed: int) -> int:
        made: int = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        llama_cpp.llama_sampler_chain_add(made, llama_cpp.llama_sampler_init_top_k(count))
        llama_cpp.llama_sampler_chain_add(made, llama_cpp.llama_sampler_init_dist(seed))
        chains.append(made)
        return made

    yield make
    for made in chains:
        llama_cpp.llama_sampler_free(made)


def choose_among_all(chain: int, logits: Logits) -> int:
    """What llama.cpp does itself."""
    data = (llama_cpp.llama_token_data * len(logits))(*((token, value, 0) for token, value in enumerate(logits)))
    array = llama_cpp.llama_token_data_array(ctypes.cast(data, llama_cpp.llama_token_data_p), len(logits), -1, False)
    llama_cpp.llama_sampler_apply(chain, ctypes.byref(array))
    chosen: int = data[array.selected].id
    return chosen


@pytest.mark.parametrize("count", [1, 2, 40, 78])
def test_the_choice_is_the_same(chain, count):
    random = np.random.default_rng(count)
    candidates = Candidates(VOCABULARY)
    few, all_of_them = chain(count, 5), chain(count, 5)
    assert candidates.suit(count)
    for spread in (0.1, 1, 3, 30):
        logits = random.normal(0, spread, VOCABULARY).astype(np.float32)
        assert candidates.choose(few, logits, count) == choose_among_all(all_of_them, logits)


def test_the_last_tokens_are_seen_too(chain):
    logits = np.zeros(VOCABULARY, np.float32)
    logits[: VOCABULARY - 1] = -np.arange(VOCABULARY - 1)
    logits[-1] = 100
    assert Candidates(VOCABULARY).choose(chain(1, 5), logits, 1) == VOCABULARY - 1


@given(seed=st.integers(0, 2**32), likely=st.integers(1, 60), count=st.integers(1, 50))
def test_no_likely_token_is_left_out(seed, likely, count):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1, VOCABULARY).astype(np.float32)
    logits[random.choice(VOCABULARY, likely, replace=False)] += 20
    candidates = Candidates(VOCABULARY)
    nothing = llama_cpp.llama_sampler_init_greedy()
    assert candidates.choose(nothing, logits, count) == logits.argmax()
    llama_cpp.llama_sampler_free(nothing)
    kept = set(candidates._ids[: candidates._array.size].tolist())
    assert set(np.argsort(-logits)[:count].tolist()) <= kept
    assert len(kept) < 4 * count + 40


def test_tokens_that_must_not_be_chosen_are_not(chain):
    logits = np.full(VOCABULARY, -np.inf, np.float32)
    logits[500:600] = 1
    assert 500 <= (Candidates(VOCABULARY).choose(chain(40, 5), logits, 40) or 0) < 600


@pytest.mark.parametrize("value", [0.0, -np.inf, np.nan], ids=str)
def test_what_tells_nothing_apart_is_left_to_llama_cpp(chain, value):
    logits = np.full(VOCABULARY, value, np.float32)
    assert Candidates(VOCABULARY).choose(chain(40, 5), logits, 40) is None


@pytest.mark.parametrize(
    ("vocabulary", "count", "suits"),
    [
        (49152, 40, True),
        (49152, 96, True),
        (49152, 97, False),
        (256, 40, False),
        (10**6, 300, False),
        (49152, 0, False),
    ],
)
def test_only_few_of_many_suit(vocabulary, count, suits):
    assert Candidates(vocabulary).suit(count) is suits
