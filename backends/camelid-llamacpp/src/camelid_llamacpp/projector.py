"""A projector in memory: what turns pictures and sounds into hidden states of a language model."""

import ctypes
import os
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from camelid.errors import MissingDependencyError, ModelError, ModelLoadError
from camelid_llamacpp.buffers import Buffer
from camelid_llamacpp.context import float_rows
from camelid_llamacpp.failures import load_error
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.native import llama_cpp, load_mtmd
from camelid_llamacpp.parts import Parts

__all__ = ("Projector", "ProjectorOptions")

_MISFIT = "mismatch between text model"
_PROBES = ((4096, 4096), (8192, 1024), (1024, 8192), (4096, 2048), (2048, 4096))
"""Pictures that are as large as any, in several shapes."""


class ProjectorOptions(msgspec.Struct, frozen=True):
    """How to compute with a projector."""

    gpu: bool
    threads: int
    flash_attention: int
    """A `LLAMA_FLASH_ATTN_TYPE_*`."""


class Projector:
    """Owns an `mtmd_context`."""

    def __init__(self, name: str, path: bytes, model: int, options: ProjectorOptions) -> None:
        """Load a projector's file.

        Args:
            name: of the model, for errors.
            path: of the projector's file.
            model: handle of the language model; it must outlive the projector.
            options: how.

        Raises:
            MissingDependencyError: llama-cpp-python was built without libmtmd.
            ModelError: the file is broken, of an unknown kind, or made for another model.
        """
        try:
            self.mtmd = load_mtmd()
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            raise MissingDependencyError(
                "llama-cpp-python was built without libmtmd, so models cannot see or hear; install it with: "
                "python -m pip install --force-reinstall llama-cpp-python",
                reason=str(error),
                plugin="camelid-llamacpp",
            ) from error
        NATIVE_LOG.install_in(self.mtmd.mtmd_helper_log_set)
        parameters = self.mtmd.mtmd_context_params_default()
        parameters.use_gpu = options.gpu
        parameters.n_threads = options.threads
        parameters.flash_attn_type = options.flash_attention
        parameters.print_timings = False
        NATIVE_LOG.take_complaints()
        NATIVE_LOG.take_buffers()
        handle: int | None = self.mtmd.mtmd_init_from_file(path, model, parameters)
        compute = NATIVE_LOG.take_buffers()
        if not handle:
            raise _load_error(name, NATIVE_LOG.take_complaints())
        self.handle = handle
        self.buffers: tuple[Buffer, ...] = (*compute, _weights(path, compute))
        self.sees: bool = self.mtmd.mtmd_support_vision(handle)
        self.hears: bool = self.mtmd.mtmd_support_audio(handle)
        self._width: int = llama_cpp.llama_model_n_embd_inp(model)
        self._no_callback = self.mtmd.mtmd_helper_post_decode_callback()

    @property
    def undivided(self) -> bool:
        """Whether a picture has to be computed in one piece, because its tokens see each other."""
        return bool(self.sees and self.mtmd.mtmd_decode_use_non_causal(self.handle, None))

    def most_tokens(self) -> int:
        """Tokens of the largest piece that a picture becomes."""
        return max(max(self.count(width, height)) for width, height in _PROBES)

    def count(self, width: int, height: int) -> list[int]:
        """Tokens of each piece that a picture of that size becomes; no pixel is needed for that."""
        with Parts(self.mtmd, self.handle) as parts:
            parts.add_blank(width, height)
            chunks = parts.cut(add_special=False)
            return [self.tokens(chunk) for chunk in chunks if self.is_media(chunk)]

    def is_media(self, chunk: int) -> bool:
        """Whether a chunk is a picture or a sound, not text."""
        kind: int = self.mtmd.mtmd_input_chunk_get_type(chunk)
        return bool(kind != self.mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT)

    def tokens(self, chunk: int) -> int:
        """Tokens that a chunk stands for."""
        count: int = self.mtmd.mtmd_input_chunk_get_n_tokens(chunk)
        return count

    def encode(self, chunk: int, tokens: int) -> npt.NDArray[np.float32]:
        """Hidden states of a chunk, shape (tokens, width).

        Raises:
            ModelError: it could not be computed.
        """
        NATIVE_LOG.take_complaints()
        status: int = self.mtmd.mtmd_encode_chunk(self.handle, chunk)
        if status != 0:
            raise ModelError(
                "a picture or sound could not be computed; see the log",
                reason=f"status {status}: {NATIVE_LOG.take_complaints()}",
            )
        first = ctypes.cast(self.mtmd.mtmd_get_output_embd(self.handle), ctypes.c_void_p).value
        if not first:
            raise ModelError("a picture or sound became nothing; see the log", reason=NATIVE_LOG.take_complaints())
        return float_rows(first, tokens, self._width).copy()

    def decode(
        self, context: int, chunk: int, states: npt.NDArray[np.float32], sequence: int, *, position: int, at_once: int
    ) -> int:
        """Compute an encoded chunk as part of a sequence; llama.cpp's status.

        Args:
            context: handle of the context.
            chunk: handle of the chunk.
            states: what `encode` gave for it.
            sequence: whose.
            position: of its first token.
            at_once: tokens of one computation.
        """
        after = llama_cpp.llama_pos()
        status: int = self.mtmd.mtmd_helper_decode_image_chunk(
            self.handle,
            context,
            chunk,
            states.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            position,
            sequence,
            at_once,
            ctypes.byref(after),
            self._no_callback,
            None,
        )
        return status

    def close(self) -> None:
        """Free it, once."""
        if self.handle:
            self.mtmd.mtmd_free(self.handle)
            self.handle = 0


def _load_error(name: str, complaints: str) -> ModelError:
    if _MISFIT in complaints:
        return ModelLoadError(
            f"the projector of model {name!r} was made for another model; use the one that belongs to it",
            reason=complaints,
        )
    error = load_error(name, complaints)
    if type(error) is not ModelLoadError:
        return error
    return ModelLoadError(
        f"llama.cpp could not load the projector of model {name!r}; its kind may be newer than this llama.cpp, or the "
        "file is no projector, see the log",
        reason=error.reason,
    )


def _weights(path: bytes, compute: tuple[Buffer, ...]) -> Buffer:
    """What the file takes in memory, and where: all of it lies where most is computed."""
    devices = sorted(compute, key=lambda buffer: buffer.size, reverse=True)
    return Buffer(devices[0].device if devices else "cpu", "model", Path(os.fsdecode(path)).stat().st_size)
