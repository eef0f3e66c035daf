"""The native libraries, and the one place that imports them."""

import os
from importlib import import_module
from types import ModuleType

from camelid.errors import MissingDependencyError

__all__ = ("load_builder", "load_genai", "load_runtime")


def load_genai() -> ModuleType:
    """ONNX Runtime GenAI, which generates; any of its packages brings it.

    Raises:
        MissingDependencyError: it is not installed, or cannot be loaded.
    """
    return _load("onnxruntime_genai", "ONNX Runtime GenAI")


def load_runtime() -> ModuleType:
    """ONNX Runtime itself, which computes encoders.

    Raises:
        MissingDependencyError: it is not installed, or cannot be loaded.
    """
    return _load("onnxruntime", "ONNX Runtime")


def load_builder() -> ModuleType:
    """The model builder of ONNX Runtime GenAI, which brings PyTorch and transformers. They will ask no other machine.

    Raises:
        MissingDependencyError: one of them is not installed, or cannot be loaded.
    """
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")  # read when they are imported
    try:
        return import_module("onnxruntime_genai.models.builder")
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError(
            "the packages that make ONNX models are not there; install them with: python -m pip install "
            "'camelid-onnx[cpu,convert]', or [cuda,convert], or [directml,convert]",
            reason=str(error),
            plugin="camelid-onnx",
        ) from error


def _load(module: str, label: str) -> ModuleType:
    try:
        return import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError(
            f"{label} could not be loaded; install it with: python -m pip install 'camelid-onnx[cpu]', or [cuda], or "
            "[directml], for what shall compute",
            reason=str(error),
            plugin="camelid-onnx",
        ) from error
