"""LoRA adapters: small matrices that are added to a model's own while it computes."""

import ctypes
from collections.abc import Sequence

from camelid.errors import (
    InvalidModelFileError,
    ModelError,
    ModelLoadError,
    ModelMemoryError,
    UnsupportedCapabilityError,
)
from camelid_llamacpp.failures import is_damage, is_shortage
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.native import llama_cpp

__all__ = ("Adapters",)

_FOREIGN = ("arch mismatch", "base model")
"""In llama.cpp's complaints about an adapter for another architecture, or for a model with other tensors."""


class Adapters:
    """The adapters of one model, loaded once and applied to each context on it."""

    def __init__(self, name: str, model: int, paths: Sequence[bytes]) -> None:
        """Load the files.

        Args:
            name: of the model, for errors.
            model: handle of the model; it must outlive the adapters.
            paths: of GGUF files.

        Raises:
            ModelLoadError: an adapter was made for another model.
            InvalidModelFileError: a file is damaged, or holds no LoRA adapter.
            ModelMemoryError: not enough memory.
            UnsupportedCapabilityError: an adapter works only after certain words.
        """
        self._name = name
        self._handles: list[ctypes._Pointer[ctypes.c_void_p]] = []
        try:
            for path in paths:
                self._load(model, path)
        except BaseException:
            self.close()
            raise

    def _load(self, model: int, path: bytes) -> None:
        NATIVE_LOG.take_complaints()
        handle = llama_cpp.llama_adapter_lora_init(model, path)
        if not handle:
            raise _failure(self._name, NATIVE_LOG.take_complaints())
        self._handles.append(handle)
        if llama_cpp.llama_adapter_get_alora_n_invocation_tokens(handle):
            raise UnsupportedCapabilityError(
                f"the adapter of model {self._name!r} works only after its invocation words; such are not supported"
            )

    def apply(self, context: int) -> None:
        """Let a context compute with the adapters as strongly as they were trained, given its handle."""
        count = len(self._handles)
        if count:
            handles = (llama_cpp.llama_adapter_lora_p_ctypes * count)(*self._handles)
            llama_cpp.llama_set_adapters_lora(context, handles, count, (ctypes.c_float * count)(*[1.0] * count))

    def close(self) -> None:
        """Free them, once; no context that they were applied to may be open any more."""
        while self._handles:
            llama_cpp.llama_adapter_lora_free(self._handles.pop())


def _failure(name: str, complaints: str) -> ModelError:
    """The error for what llama.cpp complained of."""
    if any(sign in complaints for sign in _FOREIGN):
        return ModelLoadError(
            f"the adapter of model {name!r} was made for another model; use it with the one it was trained on",
            reason=complaints,
        )
    if is_shortage(complaints):
        return ModelMemoryError(f"there is not enough memory for the adapter of model {name!r}", reason=complaints)
    wrong = "is damaged or incomplete" if is_damage(complaints) else "holds nothing that llama.cpp can apply"
    return InvalidModelFileError(f"the adapter file of model {name!r} {wrong}", reason=complaints)
