"""What the runtime's exceptions mean, as errors of Camelid's tree."""

import re
from pathlib import Path
from typing import Final

from camelid.errors import ModelError, ModelLoadError, ModelMemoryError

__all__ = ("load_error", "run_error", "says")

_MEMORY: Final = re.compile(r"bad.?alloc|out of memory|failed to allocate|not enough memory", re.IGNORECASE)
_LONGEST: Final = 300


def says(error: Exception, folder: Path | None = None) -> str:
    """What an exception says, for clients: in one line, and without where the files lie on this machine."""
    text = " ".join(str(error).split()) or type(error).__name__
    if folder is not None:
        text = text.replace(f"{folder}/", "").replace(str(folder), "the model's folder")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def load_error(model: str, file: str, label: str, error: Exception, folder: Path) -> ModelError:
    """The error for a model that the runtime would not load.

    Args:
        model: its name.
        file: the one that was loaded.
        label: of the provider.
        error: the runtime's.
        folder: with the files.
    """
    if isinstance(error, ModelError):
        return error
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):
        return ModelMemoryError(
            f"there is not enough memory for model {model!r} on {label}; use a smaller context or a smaller model",
            reason=str(error),
        )
    return ModelLoadError(
        f"ONNX Runtime could not load {file} of model {model!r} on {label}: {says(error, folder)}", reason=str(error)
    )


def run_error(model: str, label: str, error: Exception) -> ModelError:
    """The error for a computation that failed."""
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):
        return ModelMemoryError(f"there is not enough memory to run model {model!r} on {label}", reason=str(error))
    return ModelError(f"ONNX Runtime failed to compute model {model!r} on {label}: {says(error)}", reason=str(error))
