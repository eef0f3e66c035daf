"""`kill -9` at random moments, a few times; the benchmark of the same name does it 200 times."""

import runpy
from pathlib import Path

KILLING = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks/killing.py"))
TIMES = 4


def test_a_killed_server_leaves_whole_models_and_nothing_else(tmp_path):
    KILLING["Killing"](tmp_path, seed=6).run(TIMES)
