"""Indices of tokens and their positions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from camelid import Batch
from camelid_llamacpp.positions import Positions

# Runs of text (a length) and pieces of media (a length, and how many positions it takes).
contents = st.lists(st.integers(1, 5) | st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=8)


def _filled(positions: Positions, sequence: int, runs) -> list[int | None]:
    """Put runs into a sequence; the position of each index, None inside of media, and of what would follow."""
    expected: list[int | None] = []
    position = 0
    for run in runs:
        if isinstance(run, int):
            expected += range(position, position + run)
            position += run
            continue
        length, advance = run
        positions.place(sequence, len(expected), length, advance)
        expected += [position, *[None] * (length - 1)]
        position += advance
    return [*expected, position]


@given(contents)
def test_each_index_has_its_position(runs):
    positions = Positions(2)
    expected = _filled(positions, 1, runs)
    for index, position in enumerate(expected):
        assert positions.cuts(1, index) == (position is None)
        if position is not None:
            assert positions.at(1, index) == position
            assert positions.at(0, index) == index
            assert index == 0 or positions.last(1, index) < position


@given(contents, st.integers(0, 40))
def test_what_is_trimmed_or_copied_is_as_if_it_were_all(runs, length):
    positions = Positions(3)
    expected = _filled(positions, 0, runs)
    length = min(length, len(expected) - 1)
    if expected[length] is None:
        return
    positions.copy(0, 1, length)
    positions.copy(0, 2, len(expected) - 1)
    positions.trim(0, length)
    assert positions.load(2, positions.save(0))
    for sequence in range(3):
        assert positions.at(sequence, length + 3) == expected[length] + 3
        for index in range(length):
            assert positions.cuts(sequence, index) == (expected[index] is None)


@given(st.lists(contents, min_size=2, max_size=2))
def test_a_batch_is_moved_sequence_by_sequence(runs):
    positions = Positions(2)
    ends = [_filled(positions, sequence, content) for sequence, content in enumerate(runs)]
    batch = Batch(8)
    for sequence, expected in enumerate(ends):
        batch.add(sequence, [7, 7, 7], len(expected) - 1, output=True)
    moved = positions.of_batch(batch)
    found = batch.positions[:6] if moved is None else moved
    assert found.tolist() == [expected[-1] + step for expected in ends for step in range(3)]
    assert found.dtype == np.int32
    assert (moved is None) == all(len(expected) - 1 == expected[-1] for expected in ends)


def test_bytes_that_tell_of_nothing_are_not_believed():
    positions = Positions(1)
    for data in (b"", b"\x01", b"\x91\x01", b"\x91\x93\x01\x02\x03"):
        assert not positions.load(0, data)
    assert not positions.holds_media(0)
