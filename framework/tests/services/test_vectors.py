import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import ProtocolError, RequestError
from camelid.services.vectors import read_vectors, unit

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(finite, min_size=width, max_size=width), min_size=1)))
def test_rows_come_back_as_they_were(rows: list[list[float]]):
    data = np.asarray(rows, "<f4").tobytes()
    assert [list(row) for row in read_vectors(data, len(rows[0]))] == rows


@given(st.lists(finite, min_size=1, max_size=40), st.integers(-1, 50))
def test_a_unit_vector_points_the_same_way(numbers: list[float], dimensions: int):
    result = unit(array("f", numbers), dimensions)
    kept = np.asarray(numbers[:dimensions] if dimensions > 0 else numbers, np.float64)
    length = float(np.sqrt(np.square(kept).sum()))
    expected = kept / length if length else kept
    assert len(result) == len(kept)
    assert np.allclose(np.asarray(result), expected, atol=1e-6)


def test_cutting_normalises_again():
    assert list(unit(array("f", [3.0, 4.0, 100.0]), 2)) == pytest.approx([0.6, 0.8])


def test_zeros_have_no_direction():
    assert list(unit(array("f", [0.0, 0.0]))) == [0.0, 0.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(bad: float):
    with pytest.raises(RequestError, match="embedding contains NaN or Inf values"):
        read_vectors(np.asarray([[1.0, 2.0], [bad, 1.0]], "<f4").tobytes(), 2)


@pytest.mark.parametrize(("data", "dimensions"), [(b"1234", 0), (b"12345", 1), (b"12345678", 3), (b"", -1)])
def test_half_a_row_is_the_workers_fault(data: bytes, dimensions: int):
    with pytest.raises(ProtocolError):
        read_vectors(data, dimensions)
