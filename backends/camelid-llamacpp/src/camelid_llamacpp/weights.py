"""Language models in llama.cpp's memory, from files as it knows them and from files as Ollama writes them."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from camelid.errors import ModelLoadError, ModelMemoryError
from camelid.types.loading import LoadOptions
from camelid_llamacpp.combined.assembly import Assembly
from camelid_llamacpp.combined.stream import opened_stream, streams_are_possible, written_file
from camelid_llamacpp.combined.taking_apart import take_apart
from camelid_llamacpp.failures import load_error
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.options import LlamaCppOptions

__all__ = ("Weights", "load_weights")


class Weights(msgspec.Struct, frozen=True):
    """What came of a model's files."""

    handle: int
    """A `llama_model`; whoever loaded it frees it."""
    projector: Assembly | None
    """What was in the same file and lets the model see."""


def load_weights(name: str, files: Sequence[Path], options: LoadOptions, extra: LlamaCppOptions) -> Weights:
    """Load a language model.

    Args:
        name: of the model, for errors.
        files: one, or all pieces of one, in order.
        options: how.
        extra: how, of this backend alone.

    Raises:
        InvalidModelFileError: a file is damaged.
        ModelMemoryError: not enough memory.
        ModelLoadError: llama.cpp does not know such models, or an option is wrong.
    """
    parameters = _parameters(options, extra)
    combined = take_apart(files[0], f"model {name!r}") if len(files) == 1 else None
    if combined is None:
        handle = _load_files([os.fsencode(file) for file in files], parameters)
    else:
        handle = _load_assembly(combined.language, name, parameters)
    if not handle:
        raise load_error(name, NATIVE_LOG.take_complaints())
    return Weights(handle, combined.projector if combined is not None else None)


def _load_files(paths: list[bytes], parameters: llama_cpp.llama_model_params) -> int | None:
    handle: int | None
    if len(paths) == 1:
        handle = llama_cpp.llama_model_load_from_file(paths[0], parameters)
    else:
        parts = (ctypes.c_char_p * len(paths))(*paths)
        handle = llama_cpp.llama_model_load_from_splits(parts, len(paths), parameters)
    return handle


def _load_assembly(assembly: Assembly, name: str, parameters: llama_cpp.llama_model_params) -> int | None:
    """Weights that lie in no file as llama.cpp wants them cannot be mapped, they are read."""
    locked = parameters.load_mode in (llama_cpp.LLAMA_LOAD_MODE_MMAP_MLOCK, llama_cpp.LLAMA_LOAD_MODE_MLOCK)
    parameters.load_mode = llama_cpp.LLAMA_LOAD_MODE_MLOCK if locked else llama_cpp.LLAMA_LOAD_MODE_NONE
    parameters.lazy_mode = llama_cpp.LLAMA_LAZY_MODE_OFF
    handle: int | None
    if not streams_are_possible():
        with written_file(assembly, f"model {name!r}") as path:
            return _load_files([os.fsencode(path)], parameters)
    try:
        with opened_stream(assembly) as stream:
            handle = llama_cpp.llama_model_load_from_file_ptr(stream.handle, parameters)
            try:
                stream.raise_error()
            except BaseException:
                if handle:
                    llama_cpp.llama_model_free(handle)
                raise
    except OSError as error:
        raise ModelLoadError(f"the file of model {name!r} cannot be read", reason=str(error)) from error
    except MemoryError as error:
        raise ModelMemoryError(
            f"there is not enough memory for model {name!r}; use a smaller context or a smaller model",
            reason=repr(error),
        ) from error
    return handle


def _parameters(options: LoadOptions, extra: LlamaCppOptions) -> llama_cpp.llama_model_params:
    parameters: llama_cpp.llama_model_params = llama_cpp.llama_model_default_params()
    parameters.n_gpu_layers = options.gpu_layers
    if options.main_gpu is not None:
        parameters.split_mode = llama_cpp.LLAMA_SPLIT_MODE_NONE
        parameters.main_gpu = options.main_gpu
    parameters.load_mode = {
        (None, False): llama_cpp.LLAMA_LOAD_MODE_AUTO,
        (None, True): llama_cpp.LLAMA_LOAD_MODE_MMAP_MLOCK,
        (True, False): llama_cpp.LLAMA_LOAD_MODE_MMAP,
        (True, True): llama_cpp.LLAMA_LOAD_MODE_MMAP_MLOCK,
        (False, False): llama_cpp.LLAMA_LOAD_MODE_NONE,
        (False, True): llama_cpp.LLAMA_LOAD_MODE_MLOCK,
    }[options.memory_map, extra.lock_memory]
    parameters.check_tensors = extra.check_tensors
    return parameters
