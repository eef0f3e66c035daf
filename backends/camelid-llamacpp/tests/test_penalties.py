"""Penalties against their definition."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.types import SamplingOptions
from camelid_llamacpp.penalties import Penalties

VOCABULARY = 8
tokens = st.lists(st.integers(0, VOCABULARY - 1), max_size=20)


@given(
    prompt=tokens,
    drawn=tokens,
    reach=st.integers(-1, 12),
    logits=st.lists(st.floats(-9, 9, width=32), min_size=VOCABULARY, max_size=VOCABULARY),
    factors=st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1.5]), st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 0.25])),
)
def test_logits_are_penalised_for_the_last_tokens(prompt, drawn, reach, logits, factors):
    repeat, presence, frequency = factors
    options = SamplingOptions(
        repeat_last_n=reach, repeat_penalty=repeat, presence_penalty=presence, frequency_penalty=frequency
    )
    penalties = Penalties(options, 15, prompt)
    for token in drawn:
        penalties.accept(token)
    values = memoryview(array("f", logits))
    kept = penalties.apply(values)

    history = prompt + drawn
    length = 15 if reach == -1 else reach
    window = history[len(history) - min(length, len(history)) :]
    factor = repeat or 1.0
    expected = list(logits)
    for token in set(window):
        scaled = expected[token] * factor if expected[token] <= 0 else expected[token] / factor
        expected[token] = scaled - window.count(token) * frequency - presence
    assert values.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    for token, logit in kept:
        values[token] = logit
    assert values.tolist() == list(logits)


@pytest.mark.parametrize("options", [SamplingOptions(), SamplingOptions(repeat_penalty=1.1, repeat_last_n=0)])
def test_neutral_penalties_do_nothing(options):
    assert not Penalties(options, 100, [1, 2, 3]).active
