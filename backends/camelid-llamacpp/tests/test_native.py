"""The environment that llama.cpp is loaded in."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "300 None"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None"),
        ({"OMP_WAIT_POLICY": "active"}, "None active"),
    ],
    ids=["default", "spin-count", "wait-policy"],
)
def test_threads_spin_briefly_unless_the_user_says_otherwise(environment, expected):
    code = "import os, camelid_llamacpp.native; print(*map(os.environ.get, ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')))"
    inherited = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=inherited | environment,
    )
    assert done.stdout.strip() == expected
