"""Quantizing: a GGUF file with smaller numbers made of one with 16 or 32 bits each."""

import ctypes
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from camelid import Converter
from camelid.contracts.converter import ReportProgress
from camelid.errors import (
    CamelidError,
    DiskFullError,
    InvalidModelFileError,
    ModelError,
    ModelMemoryError,
    UnsupportedCapabilityError,
)
from camelid.types.conversion import ConversionTask
from camelid_llamacpp.failures import is_damage, is_shortage
from camelid_llamacpp.file_types import FILE_TYPES
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.threads import best_threads

__all__ = ("LlamaQuantizer",)

_MAGIC = b"GGUF"
_PROJECTORS = ("clip", "mmproj", "projector")
_BUFFER = 2**30
"""Bytes of a tensor that are worked on at once; more is no faster."""
_PLAIN = frozenset({"f32", "f16", "bf16"})

# What llama.cpp logs; each pattern is that of one call to its log.
_KIND = re.compile(r"\S+ - kv +\d+: +general\.(?:architecture|type) str +=\s*(\S+)")
_TENSOR = re.compile(r"\[ *\d+/ *\d+\] .* - \[([\d, ]+)\], type = +(\w+), $")
_CHANGED = re.compile(r"size = .* -> .* \(\w+\)\n$")


class _Survey(msgspec.Struct):
    """What llama.cpp would do with a file."""

    path: Path
    is_projector: bool = False
    elements: int = 0
    """Numbers in all of its tensors."""
    quantized: str = ""
    """Element type of a tensor that is quantized already and would be so again; empty if there is none."""


class LlamaQuantizer(Converter):
    """Does what `llama-quantize` does, in this process."""

    def convert(self, task: ConversionTask, report: ReportProgress) -> None:
        """Quantize the one model in the folder; without a quantization its tensors are copied as they are.

        Progress is told in bytes of the source, after each tensor.

        Raises:
            UnsupportedCapabilityError: a quantization or a kind of model that llama.cpp does not know, or a model that
                is quantized already (contract 15.3).
            InvalidModelFileError: no GGUF file, several models, or a damaged one.
            DiskFullError: no room for the result.
            ModelMemoryError: not enough memory.
            ModelError: llama.cpp failed for another reason.
        """
        if task.quantization and task.quantization not in FILE_TYPES:
            raise UnsupportedCapabilityError(
                f"unsupported quantization type {task.quantization} - supported types are {', '.join(FILE_TYPES)}"
            )
        NATIVE_LOG.install()
        llama_cpp.llama_backend_init()
        source = _model_in(Path(task.folder), _parameters(task))
        if source.quantized:
            raise UnsupportedCapabilityError(
                "quantization is only supported for F16, BF16 and F32 models",
                reason=f"{source.path.name} has tensors of type {source.quantized}",
            )
        size = source.path.stat().st_size
        done = 0

        def follow(piece: str) -> None:
            nonlocal done
            tensor = _TENSOR.match(piece)
            if tensor is not None:
                report(size * done // max(1, source.elements), size)
                done += _elements(tensor[1])

        _run(source.path, task.target, _parameters(task), follow)
        report(size, size)


def _parameters(task: ConversionTask) -> llama_cpp.llama_model_quantize_params:
    parameters: llama_cpp.llama_model_quantize_params = llama_cpp.llama_model_quantize_default_params()
    parameters.max_buf_size = _BUFFER
    parameters.nthread = task.threads or best_threads()
    if task.quantization:
        parameters.ftype = FILE_TYPES[task.quantization]
    else:
        parameters.only_copy = True
    return parameters


def _model_in(folder: Path, parameters: llama_cpp.llama_model_quantize_params) -> _Survey:
    """The model among the GGUF files of a folder; a projector may lie beside it.

    Raises:
        CamelidError: there is none, there are several, or llama.cpp cannot read one.
    """
    found = [_survey(path, parameters) for path in sorted(folder.iterdir()) if _is_gguf(path)]
    models = [survey for survey in found if not survey.is_projector]
    if len(models) != 1:
        names = ", ".join(survey.path.name for survey in models) or "none"
        raise InvalidModelFileError(
            "one GGUF model at a time can be quantized", reason=f"models in the folder: {names}"
        )
    return models[0]


def _is_gguf(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _survey(path: Path, parameters: llama_cpp.llama_model_quantize_params) -> _Survey:
    """Let llama.cpp go through all tensors without computing anything.

    Raises:
        CamelidError: it cannot read the file.
    """
    survey = _Survey(path)
    element_type = ""

    def follow(piece: str) -> None:
        nonlocal element_type
        if (kind := _KIND.match(piece)) is not None:
            survey.is_projector |= kind[1] in _PROJECTORS
        elif (tensor := _TENSOR.match(piece)) is not None:
            survey.elements += _elements(tensor[1])
            element_type = tensor[2]
        elif _CHANGED.match(piece) and element_type not in _PLAIN:
            survey.quantized = element_type

    dry = llama_cpp.llama_model_quantize_params.from_buffer_copy(parameters)
    dry.dry_run = True
    _run(path, "", dry, follow)
    return survey


def _run(
    source: Path, target: str, parameters: llama_cpp.llama_model_quantize_params, follow: Callable[[str], None]
) -> None:
    """Call llama.cpp; `follow` gets each piece that it logs.

    Raises:
        CamelidError: it failed.
    """
    NATIVE_LOG.take_complaints()
    with NATIVE_LOG.followed_by(follow):
        status: int = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters))
    complaints = NATIVE_LOG.take_complaints()
    if status != 0:
        raise _failure(source.name, complaints)


def _failure(name: str, complaints: str) -> CamelidError:
    """The error for what llama.cpp complained of."""
    if "iostream" in complaints or "basic_ios" in complaints:
        return DiskFullError("the quantized model could not be written; make room on the disk", reason=complaints)
    if "unknown model architecture" in complaints:
        return UnsupportedCapabilityError("llama.cpp cannot quantize models of this kind", reason=complaints)
    if is_shortage(complaints):
        return ModelMemoryError("there is not enough memory to quantize the model", reason=complaints)
    if is_damage(complaints):
        return InvalidModelFileError(f"the model file {name!r} is damaged or incomplete", reason=complaints)
    return ModelError(
        "llama.cpp could not quantize the model, see the log", reason=complaints or "llama.cpp gave no reason"
    )


def _elements(shape: str) -> int:
    return math.prod(map(int, shape.split(",")))
