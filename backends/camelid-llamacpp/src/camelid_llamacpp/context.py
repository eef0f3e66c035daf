"""A llama.cpp context, and batches it can compute."""

import ctypes

import numpy as np
import numpy.typing as npt

from camelid import Batch
from camelid.errors import ModelError, ModelLoadError
from camelid.types.loading import LoadOptions
from camelid_llamacpp.buffers import Buffer
from camelid_llamacpp.failures import load_error
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.options import LlamaCppOptions
from camelid_llamacpp.threads import best_threads

__all__ = ("Context", "NativeBatch", "address_of_logits", "context_parameters", "float_rows")

_CACHE_TYPES = {
    "f32": llama_cpp.GGML_TYPE_F32,
    "f16": llama_cpp.GGML_TYPE_F16,
    "q8_0": llama_cpp.GGML_TYPE_Q8_0,
    "q5_1": llama_cpp.GGML_TYPE_Q5_1,
    "q5_0": llama_cpp.GGML_TYPE_Q5_0,
    "q4_1": llama_cpp.GGML_TYPE_Q4_1,
    "q4_0": llama_cpp.GGML_TYPE_Q4_0,
}
_FLASH_ATTENTION = {
    None: llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO,
    True: llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    False: llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}


def context_parameters(options: LoadOptions, extra: LlamaCppOptions) -> llama_cpp.llama_context_params:
    """What all contexts of a model have in common; sizes are left to the caller.

    Raises:
        ModelLoadError: an unknown type for the KV cache.
    """
    if options.cache_type not in _CACHE_TYPES:
        raise ModelLoadError(
            f"llama.cpp has no KV cache of type {options.cache_type!r}; use one of {', '.join(_CACHE_TYPES)}"
        )
    parameters: llama_cpp.llama_context_params = llama_cpp.llama_context_default_params()
    parameters.n_threads = options.threads or best_threads()
    parameters.n_threads_batch = extra.batch_threads or parameters.n_threads
    parameters.flash_attn_type = _FLASH_ATTENTION[options.flash_attention]
    parameters.type_k = parameters.type_v = _CACHE_TYPES[options.cache_type]
    parameters.swa_full = extra.full_window
    parameters.kv_unified = True  # so that sequences can share the cells of a prefix
    return parameters


class NativeBatch:
    """A `llama_batch` that points into the arrays of a `Batch`: filling the one fills the other."""

    def __init__(self, source: Batch) -> None:
        self.source = source
        first = source.sequences.ctypes.data
        self._sequence_counts = np.ones(source.capacity, np.int32)
        self._sequence_lists = np.zeros(source.capacity + 1, np.uintp)
        self._sequence_lists[:-1] = np.arange(source.capacity, dtype=np.uintp) * source.sequences.itemsize + first
        self._native = self._pointing(source.positions)

    def native(self) -> llama_cpp.llama_batch:
        """The batch with the tokens that are in it now."""
        self._native.n_tokens = self.source.size
        return self._native

    def moved(self, positions: npt.NDArray[np.int32]) -> llama_cpp.llama_batch:
        """The same with the tokens at other positions, valid as long as these."""
        native = self._pointing(positions)
        native.n_tokens = self.source.size
        return native

    def _pointing(self, positions: npt.NDArray[np.int32]) -> llama_cpp.llama_batch:
        source = self.source
        return llama_cpp.llama_batch(
            token=_pointer(source.tokens, ctypes.c_int32),
            pos=_pointer(positions, ctypes.c_int32),
            n_seq_id=_pointer(self._sequence_counts, ctypes.c_int32),
            seq_id=_pointer(self._sequence_lists, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(source.outputs, ctypes.c_int8),
        )


class Context:
    """Owns a `llama_context`."""

    def __init__(self, name: str, model: int, parameters: llama_cpp.llama_context_params) -> None:
        """Allocate the context.

        Args:
            name: of the model, for errors.
            model: handle of the model; it must outlive the context.
            parameters: how.

        Raises:
            ModelError: it could not be allocated.
        """
        NATIVE_LOG.take_complaints()
        NATIVE_LOG.take_buffers()  # those that another context allocated meanwhile
        handle: int | None = llama_cpp.llama_init_from_model(model, parameters)
        self.buffers: tuple[Buffer, ...] = NATIVE_LOG.take_buffers()
        if not handle:
            raise load_error(name, NATIVE_LOG.take_complaints())
        self.handle = handle
        self.memory: int | None = llama_cpp.llama_get_memory(handle)
        """The KV cache; None for models that have none."""
        self.closed = False

    def forget_all(self) -> None:
        """Empty the KV cache."""
        if self.memory:
            llama_cpp.llama_memory_clear(self.memory, False)

    def failure(self, what: str, status: int) -> ModelError:
        """The error for a call that returned `status`."""
        return ModelError(
            f"the model could not compute; {what} failed inside llama.cpp, see the log",
            reason=f"status {status}: {NATIVE_LOG.take_complaints() or 'llama.cpp gave no reason'}",
        )

    def close(self) -> None:
        """Free it, once."""
        if not self.closed:
            self.closed = True
            llama_cpp.llama_free(self.handle)


_logits_of_row = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)(
    # declared anew, because the binding's own return type takes longer to make than the call
    ctypes.cast(llama_cpp.llama_get_logits_ith, ctypes.c_void_p).value or 0
)


def address_of_logits(context: int, row: int) -> int | None:
    """Where the logits of an output row of the last batch are; None if it has none. -1 is the last row."""
    address: int | None = _logits_of_row(context, row)
    return address


def float_rows(address: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """A view of floats in native memory, shape (rows, columns)."""
    values = (ctypes.c_float * (rows * columns)).from_address(address)
    return np.frombuffer(memoryview(values).cast("B"), np.float32).reshape(rows, columns)


def _pointer(array: npt.NDArray[np.generic], kind: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
