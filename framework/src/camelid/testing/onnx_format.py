"""Writing ONNX files without the package `onnx`: as much of the format as tiny models need."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ("OnnxGraph", "Shape", "encode_model")

Shape: TypeAlias = Sequence[int | str]
"""Sizes of a tensor; those that are free have a name."""

_ELEMENT_TYPES: Final = {np.dtype(np.float32): 1, np.dtype(np.int32): 6, np.dtype(np.int64): 7, np.dtype(np.bool_): 9}
_IR_VERSION: Final = 8
_OPSET: Final = 17


class OnnxGraph:
    """A graph in the making. Values are called by name."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._tensors: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self.external = b""
        """The content of the file that external tensors lie in."""

    def input(self, name: str, kind: type[np.generic], shape: Shape) -> str:
        """Add an input; its name."""
        self._inputs.append(_value(name, kind, shape))
        return name

    def output(self, name: str, kind: type[np.generic], shape: Shape) -> None:
        """Let a value be an output."""
        self._outputs.append(_value(name, kind, shape))

    def constant(self, name: str, value: npt.NDArray[np.generic], *, file: str = "") -> str:
        """Add a tensor; its name.

        Args:
            name: its name.
            value: float32, int64 or bool.
            file: where its bytes lie, to be written with `external`; empty for the model's own file.
        """
        head = [_number(1, size) for size in value.shape] + [
            _number(2, _ELEMENT_TYPES[value.dtype]),
            _text(8, name),
        ]
        if file:
            entries = {"location": file, "offset": str(len(self.external)), "length": str(value.nbytes)}
            head += [_bytes(13, _text(1, key) + _text(2, text)) for key, text in entries.items()] + [_number(14, 1)]
            self.external += value.tobytes()
        else:
            head.append(_bytes(9, value.tobytes()))
        self._tensors.append(_bytes(5, b"".join(head)))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: int | str) -> str:
        """Add an operator with one output; the output's name."""
        parts = [_text(1, name) for name in inputs] + [_text(2, output), _text(3, output), _text(4, operator)]
        parts += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(_bytes(1, b"".join(parts)))
        return output

    def encode(self) -> bytes:
        """The graph as bytes."""
        named = [_bytes(11, each) for each in self._inputs] + [_bytes(12, each) for each in self._outputs]
        return b"".join([*self._nodes, _text(2, "tiny"), *self._tensors, *named])


def encode_model(graph: OnnxGraph) -> bytes:
    """A model file."""
    opset = _bytes(8, _text(1, "") + _number(2, _OPSET))
    return _number(1, _IR_VERSION) + opset + _bytes(7, graph.encode())


def _attribute(name: str, value: int | str) -> bytes:
    held = _number(3, value) + _number(20, 2) if isinstance(value, int) else _text(4, value) + _number(20, 3)
    return _text(1, name) + held


def _value(name: str, kind: type[np.generic], shape: Shape) -> bytes:
    sizes = [_bytes(1, _number(1, size) if isinstance(size, int) else _text(2, size)) for size in shape]
    tensor = _number(1, _ELEMENT_TYPES[np.dtype(kind)]) + _bytes(2, b"".join(sizes))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
