"""llama-cpp-python's low-level API, and the one place that imports it."""

import ctypes
import os
from collections.abc import Callable
from types import ModuleType

__all__ = ("dequantizer", "llama_cpp", "load_mtmd")

# OpenMP reads this when llama.cpp is loaded. All threads meet after every operation, thousands of times for each
# token. By default one that has to wait spins for milliseconds, and where the CPUs are shared it spins away the very
# time that the thread it waits for needs. Spinning for some microseconds costs next to nothing on an idle machine and
# makes a busy one several times faster: compare the values of `--spin` in tests/benchmarks/bare_decode.py.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "300"
# When it aborts, ggml would run a debugger and bury the reason under its output.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

from llama_cpp import llama_cpp


def load_mtmd() -> ModuleType:
    """The binding of libmtmd, which sees and hears; models that only read never load it.

    Raises:
        ImportError, OSError, RuntimeError: this llama-cpp-python was built without it.
    """
    from llama_cpp import mtmd_cpp  # noqa: PLC0415

    # The binding lacks this one; it sets where both parts of the library log to.
    log_set = mtmd_cpp._libmtmd.mtmd_helper_log_set
    log_set.argtypes, log_set.restype = [llama_cpp.llama_log_callback, ctypes.c_void_p], None
    mtmd_cpp.mtmd_helper_log_set = log_set
    return mtmd_cpp


def dequantizer(element_type: str) -> Callable[[bytes, int, int], None] | None:
    """What makes 32-bit numbers of quantized ones; None if ggml cannot, for this type.

    Args:
        element_type: as the field calls it: `Q4_K`.

    Returns:
        A function that takes the blocks, the address where the numbers shall lie, and how many they are.
    """
    name = f"dequantize_row_{element_type.lower().replace('_k', '_K')}"
    if not hasattr(llama_cpp._lib, name):
        return None
    signature = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64)
    function: Callable[[bytes, int, int], None] = signature((name, llama_cpp._lib))
    return function
