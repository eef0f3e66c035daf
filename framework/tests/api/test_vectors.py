import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.api.vectors import encode_vector, encode_vectors


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_every_float32_comes_back_exactly(numbers):
    vector = array("f", numbers)
    assert array("f", json.loads(encode_vector(vector))) == vector


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, b"[0.1]"),
        (1 / 3, b"[0.33333334]"),
        (-0.026688, b"[-0.026688]"),
        (16777216.0, b"[16777216]"),
        (0.00001, b"[0.00001]"),
        (1e-7, b"[1e-7]"),
        (1e20, b"[100000000000000000000]"),
        (1e22, b"[1e+22]"),
        (0.0, b"[0]"),
    ],
)
def test_no_digit_is_wasted(number, text):
    assert encode_vector(array("f", [number])) == text


def test_a_matrix_is_a_list_of_lists():
    assert encode_vectors([array("f", [1, 0.5]), array("f", [])]) == b"[[1,0.5],[]]"
    assert encode_vectors([]) == b"[]"
