"""`kill -9` at random moments and bytes, a few times; the benchmark of the same name does it more often."""

import runpy
from pathlib import Path

KILLING = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks/killing.py"))
TIMES = 4
SIZE = 70_000_000
"""Bytes: more than one segment."""


def test_a_killed_server_leaves_whole_models_and_nothing_else(tmp_path):
    KILLING["Killing"](tmp_path, seed=6).run(TIMES)


def test_a_pull_killed_at_random_bytes_asks_for_nothing_again_that_is_here(tmp_path):
    cut, _vain = KILLING["Killing"](tmp_path, seed=6).pull(TIMES, SIZE)
    assert cut
