"""A Hugging Face model as GGUF."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from camelid.contracts.converter import ReportProgress
from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid.types.conversion import ConversionTask
from camelid_gguf.architectures import Architecture, Metadata, Rule, family_of
from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.numbers import FLOATS, Floats
from camelid_gguf.safetensors import StoredTensor, read_header
from camelid_gguf.tokenizers import read_vocabulary
from camelid_gguf.weights import Weight, find_weights
from camelid_gguf.writing import FILE_TYPES, OutputTensor, element_for, rotary_rows, write_file

__all__ = ("convert_model",)

SCALES = ("_scale_inv", "_scale")
"""What follows the name of an FP8 weight in the name of its scales."""
LEFT_OVER = (*(f"weight{suffix}" for suffix in SCALES), "activation_scale", "input_scale", "k_scale", "v_scale")


def convert_model(task: ConversionTask, report: ReportProgress) -> None:
    """Write `task.target`.

    Raises:
        UnsupportedCapabilityError: an architecture, a tokenizer or a quantization that is not known.
        InvalidModelFileError: the source is damaged, or files are missing from it.
    """
    folder = SourceFolder(task.folder)
    config = folder.document("config.json")
    names = config.texts("architectures")
    if not names:
        raise InvalidModelFileError('config.json has no "architectures"')
    family = family_of(names[0])
    model = family(family.flatten(config))
    stored = _stored(model, folder)
    quantized = _quantization(config)
    element = task.quantization or ("Q8_0" if any(one.dtype.startswith("F8") for one in stored.values()) else "F16")
    if element not in FILE_TYPES:
        raise UnsupportedCapabilityError(
            f'unsupported quantization "{element}"', reason=f"known: {', '.join(FILE_TYPES)}"
        )
    tensors = list(_tensors(model, stored, quantized, element))
    constants = [_constant(name, values) for name, values in model.constants()]

    out = Metadata(family.gguf)
    out.put("general.type", "model")
    out.put("general.quantization_version", 2)
    out.put("general.file_type", FILE_TYPES[element])
    out.put("general.parameter_count", sum(math.prod(tensor.shape) for tensor in tensors))
    name = Path(config.text("_name_or_path").replace("\\", "/")).name
    if name:
        out.put("general.name", name)
    model.metadata(out)
    model.extras(out, folder)
    read_vocabulary(folder, model.vocabulary).describe(out)
    write_file(Path(task.target), family.gguf, list(out.values.items()), [*constants, *tensors], report)


def _stored(model: Architecture, folder: SourceFolder) -> dict[str, StoredTensor]:
    """The model's tensors under the names that its rules use."""
    found = {model.rename(name): tensor for name, tensor in find_weights(folder).items()}
    for module in model.modules:
        name = f"{module}/model.safetensors"
        if folder.has(name):
            found.update({f"{module}.{tensor.name}": tensor for tensor in read_header(folder.path(name))})
    return found


def _quantization(config: Document) -> Document:
    """How FP8 weights are scaled.

    Raises:
        UnsupportedCapabilityError: the weights are quantized in another way.
    """
    found = config.section("quantization_config")
    method = found.text("quant_method")
    if method not in {"", "fp8", "compressed-tensors", "fbgemm_fp8"}:
        raise UnsupportedCapabilityError(
            f"models quantized with {method[:40]} cannot be converted; use the one with full precision"
        )
    return found


def _tensors(
    model: Architecture, stored: dict[str, StoredTensor], quantized: Document, element: str
) -> Iterator[OutputTensor]:
    left = dict(stored)
    for rule in model.rules():
        names = (rule.source,) if isinstance(rule.source, str) else rule.source
        if not rule.required and names[0] not in stored:
            continue
        sources = []
        for name in names:
            if name not in stored:
                raise InvalidModelFileError(f"the tensor {name} is missing")
            left.pop(name, None)
            sources.append(_weight(name, stored, quantized))
        yield _output(rule, tuple(sources), element)
    for name in left:
        if not model.ignores(name) and not name.endswith(LEFT_OVER):
            raise InvalidModelFileError(f"{name} is no tensor of a {model.gguf} model")


def _weight(name: str, stored: dict[str, StoredTensor], quantized: Document) -> Weight:
    tensor = stored[name]
    if tensor.dtype not in FLOATS:
        raise UnsupportedCapabilityError(
            f"{name} has the type {tensor.dtype}: quantized weights cannot be converted; use those with full precision"
        )
    if not tensor.dtype.startswith("F8"):
        return Weight(tensor)
    scales = next((stored[name + suffix] for suffix in SCALES if name + suffix in stored), None)
    if scales is None:
        raise InvalidModelFileError(f"the scales of {name} are missing")
    return Weight(tensor, *_scale(tensor, scales, quantized))


def _scale(tensor: StoredTensor, stored: StoredTensor, quantized: Document) -> tuple[Floats, tuple[int, int]]:
    """The scales as a matrix, and how much of the tensor each is for."""
    scale = Weight(stored).all()
    rows, columns = Weight(tensor).rows, Weight(tensor).columns
    if scale.size == 1:
        return scale.reshape(1, 1), (rows, columns)
    if scale.shape in {(rows, 1), (rows,)}:
        return scale.reshape(rows, 1), (1, columns)
    height, width = [int(side) for side in quantized.numbers("weight_block_size")] or [128, 128]
    if height < 1 or width < 1 or scale.shape != (-(-rows // height), -(-columns // width)):
        raise InvalidModelFileError(f"{stored.name} has the shape {list(scale.shape)}, which does not fit its tensor")
    return scale, (height, width)


def _output(rule: Rule, sources: tuple[Weight, ...], element: str) -> OutputTensor:
    one = rule.shape[1:] if len(sources) > 1 or not isinstance(rule.source, str) else rule.shape
    shape = rule.shape or sources[0].shape
    for source in sources:
        found = source.shape
        # A vector may be stored as a matrix with one row.
        if rule.shape and found not in {one, (1, *one)}:
            raise InvalidModelFileError(
                f"{source.stored.name} has the shape {list(found)}, but config.json asks for {list(one)}"
            )
    rows = rotary_rows(one[0], rule.heads) if rule.heads else None
    kind = "F32" if rule.exact else element_for(shape, element)
    return OutputTensor(rule.target, shape, kind, sources, rows=rows, add=rule.add)


def _constant(name: str, values: list[float]) -> OutputTensor:
    numbers = np.array(values, np.float32)
    return OutputTensor(name, numbers.shape, "F32", (Weight.of(name, numbers),))
