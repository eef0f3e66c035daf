import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.decoding.budget import PromptPace, fair_shares


def test_short_prompts_are_served_whole_and_leave_the_rest_to_long_ones():
    assert fair_shares([1000, 10, 1000, 50], 300, 0) == [120, 10, 120, 50]


def test_fewer_tokens_than_prompts_go_round():
    served = [0, 0, 0]
    for turn in range(6):
        served = [old + new for old, new in zip(served, fair_shares([9, 9, 9], 1, turn), strict=True)]
    assert served == [2, 2, 2]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=9), st.integers(0, 600), st.integers(0, 99))
def test_shares_are_fair_and_complete(pending, budget, turn):
    shares = fair_shares(pending, budget, turn)
    assert all(0 <= share <= need for share, need in zip(shares, pending, strict=True))
    assert sum(shares) == min(budget, sum(pending))
    unfinished = [share for share, need in zip(shares, pending, strict=True) if share < need]
    assert not unfinished or max(shares) <= min(unfinished) + 1


@given(st.integers(0, 3), st.lists(st.integers(1, 200), min_size=2, max_size=9))
def test_nobody_waits_longer_than_a_round(budget, pending):
    rounds = [fair_shares(pending, max(1, budget), turn) for turn in range(len(pending))]
    assert all(any(share[index] for share in rounds) for index in range(len(pending)))


def test_pace_follows_what_was_measured():
    pace = PromptPace(512)
    assert (pace.bound(others=False), pace.bound(others=True)) == (512, 128)
    pace.observe(500, 1.0)
    assert (pace.bound(others=False), pace.bound(others=True)) == (500, 50)
    for _ in range(50):
        pace.observe(500, 0.01)
    assert (pace.bound(others=False), pace.bound(others=True)) == (512, 512)
    for _ in range(50):
        pace.observe(500, 500.0)
    assert (pace.bound(others=False), pace.bound(others=True)) == (16, 16)


@pytest.mark.parametrize("batch", [1, 4, 16])
def test_pace_never_passes_a_small_batch(batch):
    pace = PromptPace(batch)
    assert pace.bound(others=True) <= batch
    pace.observe(16, 100.0)
    assert 1 <= pace.bound(others=True) <= batch
