"""llama-cpp-python's low-level API, and the one place that imports it."""

import os

__all__ = ("llama_cpp",)

if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    # OpenMP reads this when llama.cpp is loaded.
    os.environ["GOMP_SPINCOUNT"] = "300"

from llama_cpp import llama_cpp
