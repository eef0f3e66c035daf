"""Which encoded pictures are kept."""

import numpy as np

from camelid_llamacpp.encodings import Encodings


def _states(value: float, tokens: int = 1) -> np.ndarray:
    return np.full((tokens, 4), value, np.float32)  # 16 bytes a token


def test_what_was_not_used_for_longest_makes_room():
    encodings = Encodings(48)
    for number in range(3):
        encodings.keep(bytes([number]), _states(number))
    assert encodings.get(b"\0") is not None
    encodings.keep(b"\3", _states(3))
    assert encodings.get(b"\1") is None
    kept = [encodings.get(bytes([number])) for number in (0, 2, 3)]
    assert [states[0, 0] for states in kept] == [0, 2, 3]


def test_large_ones_push_out_as_many_as_they_need():
    encodings = Encodings(48)
    for number in range(3):
        encodings.keep(bytes([number]), _states(number))
    encodings.keep(b"large", _states(9, tokens=2))
    assert encodings.get(b"\0") is encodings.get(b"\1") is None
    assert encodings.get(b"\2") is not None


def test_what_is_larger_than_everything_is_not_kept():
    encodings = Encodings(48)
    encodings.keep(b"small", _states(1))
    encodings.keep(b"huge", _states(2, tokens=4))
    assert encodings.get(b"huge") is None
    assert encodings.get(b"small") is not None


def test_keeping_again_counts_once():
    encodings = Encodings(32)
    for _ in range(5):
        encodings.keep(b"a", _states(1))
    encodings.keep(b"b", _states(2))
    assert encodings.get(b"a") is not None
    assert encodings.get(b"b") is not None
