"""llama-cpp-python's low-level API, and the one place that imports it."""

import os

__all__ = ("llama_cpp",)

# OpenMP reads this when llama.cpp is loaded. All threads meet after every operation, thousands of times for each
# token. By default one that has to wait spins for milliseconds, and where the CPUs are shared it spins away the very
# time that the thread it waits for needs. Spinning for some microseconds costs next to nothing on an idle machine and
# makes a busy one several times faster: compare the values of `--spin` in tests/benchmarks/bare_decode.py.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "300"
# When it aborts, ggml would run a debugger and bury the reason under its output.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

from llama_cpp import llama_cpp
