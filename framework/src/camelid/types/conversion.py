"""Making a model's files into others: from another format, or with smaller numbers."""

import msgspec

from camelid.types.artifact import FileRole

__all__ = ("ConversionTask", "ConverterDescriptor")


class ConverterDescriptor(msgspec.Struct, frozen=True):
    """One converter, for choosing it before anything heavy is imported."""

    name: str
    """Short and unique: `safetensors-to-gguf`."""
    source: str
    """The format it reads: `safetensors`, `gguf`; `gguf-split` for a GGUF in several pieces."""
    target: str
    """The format it writes."""
    roles: frozenset[FileRole] = frozenset({FileRole.MODEL})
    """What it converts."""
    quantizations: tuple[str, ...] = ()
    """Element types it can write, in upper case (`F16`, `Q4_K_M`); empty if it keeps those of the source."""
    description: str = ""


class ConversionTask(msgspec.Struct, frozen=True):
    """One thing to convert. The source is hostile until proven otherwise."""

    converter: str
    """Name in the converter's descriptor."""
    folder: str
    """Absolute path of a folder with the source's files under their own names, and nothing else."""
    target: str
    """Absolute path of the file to write, or of the folder, where models of the format are folders (`onnx`): every file
    in it belongs to the model. It does not exist yet. What is left of it after an error is deleted."""
    role: FileRole = FileRole.MODEL
    quantization: str = ""
    """One of the descriptor's `quantizations`; empty = as the source, or what the converter finds best."""
    base: str = ""
    """For an adapter: absolute path of the file of the model that it belongs to; empty if it is not known."""
    threads: int = 0
    """Threads for computing; 0 = the converter chooses."""
