"""What llama.cpp's complaints mean, as errors of Camelid's tree."""

import re

from camelid.errors import AcceleratorMemoryError, InvalidModelFileError, ModelError, ModelLoadError, ModelMemoryError

__all__ = ("is_damage", "is_shortage", "load_error")

_MEMORY = re.compile(r"alloc|out of memory|not enough memory|insufficient memory", re.IGNORECASE)
_ACCELERATOR = re.compile(
    r"(?:CUDA|ROCm|Vulkan|SYCL|Metal|MTL|MUSA|CANN|OpenCL)\d*(?:_Host)? (?:compute |KV )?buffer|(?:cuda|hip|musa)Malloc"
    r"|on device \d",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"corrupt|incomplete|magic|gguf_init|gguf_read|failed to (?:read|seek)|file bounds|missing tensor"
    r"|invalid (?:file|string|type)|key not found|wrong (?:shape|type|array)|duplicate|unexpectedly reached end",
    re.IGNORECASE,
)
_ADVICE = (
    ": this model may be incompatible with your version of Camelid. If you previously pulled this model, try updating "
    "it by running `camelid pull {name}`"
)
"""Ollama's words, which clients look for (contract 1.6)."""
_OPTIONS = re.compile(r"cache type|cache quantization|invalid value for main_gpu", re.IGNORECASE)


def is_damage(complaints: str) -> bool:
    """Whether llama.cpp complained of a file that is damaged or incomplete."""
    return _FILE.search(complaints) is not None


def is_shortage(complaints: str) -> bool:
    """Whether llama.cpp complained that there is not enough memory."""
    return _MEMORY.search(complaints) is not None


def load_error(name: str, complaints: str) -> ModelError:
    """The error for a model that llama.cpp would not load or open.

    Args:
        name: of the model, for the client.
        complaints: the last warnings and errors it logged; they become the reason.
    """
    if is_shortage(complaints):
        kind = AcceleratorMemoryError if _ACCELERATOR.search(complaints) else ModelMemoryError
        return kind(
            f"there is not enough memory for model {name!r}; use a smaller context or a smaller model",
            reason=complaints,
        )
    if is_damage(complaints):
        return InvalidModelFileError(
            f"the file of model {name!r} is damaged or incomplete{_ADVICE.format(name=name)}",
            reason=complaints,
        )
    if _OPTIONS.search(complaints):
        return ModelLoadError(
            f"llama.cpp cannot load model {name!r} with these options; leave out main_gpu and OLLAMA_KV_CACHE_TYPE",
            reason=complaints,
        )
    if "wrong number of tensors" in complaints:
        return ModelLoadError(
            f"the file of model {name!r} holds more than a language model, most often a projector too; llama.cpp wants "
            "the projector as a file of its own",
            reason=complaints,
        )
    return ModelLoadError(
        f"llama.cpp could not load model {name!r}{_ADVICE.format(name=name)}",
        reason=complaints or "llama.cpp gave no reason",
    )
