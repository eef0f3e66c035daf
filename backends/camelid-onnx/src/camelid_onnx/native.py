"""The two native libraries, and the one place that imports them."""

from importlib import import_module
from types import ModuleType

from camelid.errors import MissingDependencyError

__all__ = ("load_genai", "load_runtime")


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
