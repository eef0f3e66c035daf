import math

import numpy as np
import pytest

from camelid.decoding.logprobs import token_logprob

CHANCES = [0.5, 0.25, 0.125, 0.125]


def of(token, alternatives, scale=0.0):
    logits = (np.log(CHANCES) + scale).astype(np.float32)
    return token_logprob(logits, token, alternatives, lambda token: b"%d" % token)


def test_log_softmax_whatever_the_scale_of_the_logits():
    for scale in (-500.0, 0.0, 500.0):
        assert of(1, 0, scale).logprob == pytest.approx(math.log(0.25), abs=1e-4)


def test_alternatives_are_the_most_likely_in_order_with_their_bytes():
    entry = of(2, 3)
    assert (entry.token, entry.text) == (2, b"2")
    assert [(other.token, other.text) for other in entry.top] == [(0, b"0"), (1, b"1"), (2, b"2")]
    assert [other.logprob for other in entry.top] == pytest.approx(np.log(CHANCES[:3]).tolist(), abs=1e-4)


def test_none_are_named_unless_asked_for_and_never_more_than_20():
    assert of(0, 0).top == ()
    assert len(token_logprob(np.zeros(99, np.float32), 0, 50, lambda token: b"").top) == 20
