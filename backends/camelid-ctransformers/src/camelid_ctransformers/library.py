"""ctransformers' compiled library, called directly: the one place that touches the package.

The package's own Python code is not imported: it brings in huggingface_hub and asks for the processor's features in
another process, which takes two seconds and is of no use here.
"""

import ctypes
import importlib.util
import platform
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from camelid.errors import MissingDependencyError, ModelLoadError

__all__ = ("VERSION", "Library", "NativeModel")

VERSION: Final = "0.2.27"
"""The only release whose compiled interface and file formats this backend knows. It is also the last."""

_INSTALL: Final = f"python -m pip install ctransformers=={VERSION}"
_CPU_INFO: Final = Path("/proc/cpuinfo")


class _Config(ctypes.Structure):
    _fields_ = (
        ("context_length", ctypes.c_int),
        ("gpu_layers", ctypes.c_int),
        ("mmap", ctypes.c_bool),
        ("mlock", ctypes.c_bool),
    )


class Library:
    """The library, loaded."""

    def __init__(self, instructions: str = "") -> None:
        """Load it.

        Args:
            instructions: folder of the build to use; empty for the best.

        Raises:
            MissingDependencyError: it is not installed, or cannot be loaded.
        """
        self.path = _library_path(instructions)
        try:
            native = ctypes.CDLL(str(self.path))
            self._declare(native)
        except (OSError, AttributeError) as error:
            raise _missing(f"ctransformers could not be loaded; install it with: {_INSTALL}", str(error)) from error
        self.native = native

    def load(
        self, path: Path, model_type: str, *, context_length: int, memory_map: bool, lock_memory: bool
    ) -> "NativeModel | None":
        """Load a model; None if the library would not have it. Only a worker may do this: it can crash."""
        config = _Config(context_length, 0, memory_map, lock_memory)
        handle: int | None = self.native.ctransformers_llm_create(
            str(path).encode("utf-8", "surrogateescape"), model_type.encode(), config
        )
        return NativeModel(self.native, handle) if handle else None

    @staticmethod
    def _declare(native: ctypes.CDLL) -> None:
        model, numbers = ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
        declarations: dict[str, tuple[list[object], object]] = {
            "create": ([ctypes.c_char_p, ctypes.c_char_p, _Config], model),
            "delete": ([model], None),
            "vocab_size": ([model], ctypes.c_int),
            "context_length": ([model], ctypes.c_int),
            "batch_eval": ([model, numbers, *[ctypes.c_int] * 4], ctypes.c_bool),
            "logits_data": ([model], ctypes.POINTER(ctypes.c_float)),
            "logits_size": ([model], ctypes.c_int),
        }
        for name, (arguments, result) in declarations.items():
            function = getattr(native, f"ctransformers_llm_{name}")
            function.argtypes, function.restype = arguments, result


class NativeModel:
    """A model that the library holds."""

    def __init__(self, native: ctypes.CDLL, handle: int) -> None:
        self._native = native
        self._handle = handle

    @property
    def vocabulary_size(self) -> int:
        """Tokens."""
        size: int = self._native.ctransformers_llm_vocab_size(self._handle)
        return size

    @property
    def context_length(self) -> int:
        """Tokens that its cache holds."""
        length: int = self._native.ctransformers_llm_context_length(self._handle)
        return length

    def evaluate(self, tokens: npt.NDArray[np.int32], position: int, batch_size: int, threads: int) -> bool:
        """Compute tokens that stand behind `position` others; False if the library says that it failed."""
        pointer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int))
        done: bool = self._native.ctransformers_llm_batch_eval(
            self._handle, pointer, len(tokens), position, batch_size, threads
        )
        return done

    def logits(self) -> npt.NDArray[np.float32]:
        """The logits after the last token: a view, valid until more is computed."""
        size = self._native.ctransformers_llm_logits_size(self._handle)
        return np.ctypeslib.as_array(self._native.ctransformers_llm_logits_data(self._handle), (size,))

    def close(self) -> None:
        """Give its memory back."""
        self._native.ctransformers_llm_delete(self._handle)


def _library_path(instructions: str) -> Path:
    package = importlib.util.find_spec("ctransformers")
    if package is None or not package.submodule_search_locations:
        raise _missing(f"ctransformers is not installed; install it with: {_INSTALL}", "")
    installed = metadata.version("ctransformers")
    if installed != VERSION:
        raise _missing(f"this backend needs ctransformers {VERSION}; install it with: {_INSTALL}", installed)
    folder = Path(package.submodule_search_locations[0]) / "lib"
    system = platform.system()
    name = {"Windows": "ctransformers.dll", "Darwin": "libctransformers.dylib"}.get(system, "libctransformers.so")
    for build in (instructions,) if instructions else ("local", *_builds()):
        if (folder / build / name).is_file():
            return folder / build / name
    raise ModelLoadError(f"ctransformers has no build for this machine, {platform.machine()}")


def _builds() -> tuple[str, ...]:
    """The package's builds that this processor can run, the fastest first; one from source is in `local`."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ("basic",) if platform.system() == "Darwin" else ()
    flags = _flags()
    if "avx2" in flags:
        return ("avx2", "avx", "basic")
    return ("avx", "basic") if {"avx", "f16c"} <= flags else ("basic",)


def _flags() -> set[str]:
    """What the processor can do, in Linux's words."""
    if platform.system() == "Linux":
        lines = _CPU_INFO.read_text("utf-8", "replace").splitlines()
        return next((set(line.split()) for line in lines if line.startswith("flags")), set())
    from cpuinfo import get_cpu_info  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, and elsewhere not needed

    return set(get_cpu_info().get("flags", ()))


def _missing(message: str, reason: str) -> MissingDependencyError:
    return MissingDependencyError(message, reason=reason, plugin="camelid-ctransformers")
