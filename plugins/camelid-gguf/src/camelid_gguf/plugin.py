"""The plugin's hooks. Importing this loads neither NumPy nor gguf."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from camelid import hookimpl
from camelid.types.artifact import FileRole
from camelid.types.conversion import ConverterDescriptor

if TYPE_CHECKING:
    from camelid import Converter

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_converters(register: Callable[[ConverterDescriptor], None]) -> None:
    """Three ways to a GGUF file."""
    register(
        ConverterDescriptor(
            name="safetensors-to-gguf",
            source="safetensors",
            target="gguf",
            roles=frozenset({FileRole.MODEL, FileRole.ADAPTER}),
            quantizations=("F16", "BF16", "F32", "Q8_0"),
            description="Hugging Face models and LoRA adapters",
        )
    )
    register(
        ConverterDescriptor(
            name="gguf-merge", source="gguf-split", target="gguf", description="GGUF models in several pieces"
        )
    )


@hookimpl
def camelid_converter(name: str) -> Converter | None:
    """The converter of that name."""
    from camelid_gguf.converter import MergePieces, SafetensorsToGguf

    match name:
        case "safetensors-to-gguf":
            return SafetensorsToGguf()
        case "gguf-merge":
            return MergePieces()
        case _:
            return None
