import logging
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.engine.post_mortem import LONGEST_LINE, OutputTail, exit_text


@pytest.mark.parametrize(
    ("returncode", "text"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (0xC0000005, "exited with status 0xc0000005"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (-signal.SIGKILL, "killed by SIGKILL (perhaps by the kernel, for want of memory)"),
        (-250, "killed by signal 250"),
        (None, "gone without an exit status"),
    ],
)
def test_exit_text(returncode, text):
    assert exit_text(returncode) == text


@given(st.binary(max_size=400), st.lists(st.integers(1, 20), min_size=1))
def test_any_bytes_in_any_pieces_give_the_same_text(output, sizes):
    whole, chopped = OutputTail("m"), OutputTail("m")
    whole.feed(output)
    start = turn = 0
    while start < len(output):
        stop = start + sizes[turn % len(sizes)]
        chopped.feed(output[start:stop])
        start, turn = stop, turn + 1
    assert chopped.text() == whole.text()


def test_only_the_last_lines_are_kept():
    tail = OutputTail("m")
    tail.feed(b"".join(b"line %d\n" % number for number in range(100)) + b"\n\nhalf")
    assert tail.text().splitlines() == [f"line {number}" for number in range(81, 100)] + ["half"]


def test_a_line_without_end_fills_no_memory():
    tail = OutputTail("m")
    for _ in range(100):
        tail.feed(b"x" * 1000)
    assert len(tail.text()) == LONGEST_LINE


def test_a_traceback_is_told_to_its_end(caplog):
    caplog.set_level(logging.WARNING, "camelid.worker")
    trace = ["Traceback (most recent call last):", '  File "mine.py", line 7, in feed', "    pick()", "KeyError: 3"]
    OutputTail("toy").feed("\n".join(["loading", *trace, "going on", ""]).encode())
    assert [record.message for record in caplog.records] == [f"toy: {line}" for line in trace]


def test_lines_are_logged_and_alarming_ones_are_warnings(caplog):
    caplog.set_level(logging.DEBUG, "camelid.worker")
    OutputTail("toy").feed(b"loading tensors\nggml: ERROR: no memory\n")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("DEBUG", "toy: loading tensors"),
        ("WARNING", "toy: ggml: ERROR: no memory"),
    ]
