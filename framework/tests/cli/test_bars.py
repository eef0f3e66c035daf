import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.cli.bars import ASCII, Rate, bar_line


def test_a_running_bar_has_percent_sizes_rate_and_remaining_time():
    line = bar_line("pulling 6a0746a1ec1a", 2_115_000_000, 4_700_000_000, 50_000_000, width=71)
    assert line == "pulling 6a0746a1ec1a:  45% ▕████      ▏ 2.1 GB/4.7 GB   50 MB/s     52s"


def test_a_finished_bar_shows_only_the_total():
    assert bar_line("pulling 6a07", 1_500, 1_500, 10, width=40) == "pulling 6a07: 100% ▕" + "█" * 12 + "▏ 1.5 KB"


def test_bars_can_be_drawn_in_ascii():
    assert bar_line("x", 50, 100, 0, width=32, strokes=ASCII) == "x:  50% [#####      ] 50 B/100 B"


def test_a_narrow_terminal_gets_no_bar():
    assert bar_line("pulling", 50, 100, 0, width=24) == "pulling:  50% 50 B/100 B"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (35, "pulling:  50% 50 B/100 B 10 B/s 5s"),
        (33, "pulling:  50% 50 B/100 B 10 B/s"),
        (30, "pulling:  50% 50 B/100 B"),
        (23, "pulling:  50%"),
        (10, "pulling:  "),
    ],
)
def test_a_figure_that_has_no_room_is_left_out_whole(width: int, line: str):
    assert bar_line("pulling", 50, 100, 10, width=width) == line


@given(st.integers(0, 10**13), st.integers(1, 10**13), st.floats(0, 10**10), st.integers(10, 200))
def test_a_line_never_exceeds_the_width(completed: int, total: int, rate: float, width: int):
    assert len(bar_line("pulling 6a0746a1ec1a", completed, total, rate, width=width)) <= width


def test_the_rate_looks_back_five_seconds():
    rate = Rate()
    assert rate.bytes_per_second() == 0
    for second in range(21):
        rate.add(float(second), 100 * second if second <= 10 else 1000 + 10 * (second - 10))
    assert rate.bytes_per_second() == pytest.approx(10)
