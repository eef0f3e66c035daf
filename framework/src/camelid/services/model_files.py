"""Which kind of layer an uploaded file becomes (contract 15.1, 15.2)."""

from pathlib import Path
from typing import Final

import msgspec

from camelid.errors import InvalidModelFileError, RequestError, UnsupportedCapabilityError
from camelid.store import media_types
from camelid.store.formats import GGUF, sniff_format
from camelid.store.gguf import GGUFHeader, read_header

__all__ = ("ModelFileKind", "check_quantization", "inspect_file")

_QUANTIZATIONS: Final = {
    "F32": "F32",
    "F16": "F16",
    "BF16": "BF16",
    "Q8_0": "Q8_0",
    "Q4_K_S": "Q4_K_S",
    "Q4_K_M": "Q4_K_M",
    "Q4_K": "Q4_K_M",
}


class ModelFileKind(msgspec.Struct, frozen=True):
    """What was found in a file."""

    format: str
    """`gguf`, or what a description names."""
    media_type: str
    header: GGUFHeader | None = None
    """Of GGUF files."""


def inspect_file(name: str, path: Path) -> ModelFileKind:
    """Find out what a file is.

    Args:
        name: what the client calls it; its ending counts.
        path: where it lies.

    Raises:
        RequestError: it is nothing that can be used.
        UnsupportedCapabilityError: it would have to be converted first.
    """
    if name.endswith(".safetensors"):
        raise UnsupportedCapabilityError(
            "safetensors cannot be imported: convert the model to GGUF with llama.cpp's convert_hf_to_gguf.py, "
            "then create from that file"
        )
    found = GGUF if name.endswith(".gguf") else sniff_format(path)
    if found is None:
        raise RequestError("unknown type", reason=f"{name!r} is neither GGUF nor a model description")
    if found != GGUF:
        return ModelFileKind(found, media_types.MODEL)
    if sniff_format(path) != GGUF:
        raise RequestError("supplied file was not in GGUF format")
    try:
        header = read_header(path)
    except InvalidModelFileError as error:
        raise RequestError(f"supplied file was not in GGUF format: {error.message}", reason=error.reason) from error
    shards = header.integer("split.count") or 1
    if shards > 1:
        raise UnsupportedCapabilityError(
            f"{name} is one of {shards} shards: merge them with llama.cpp's llama-gguf-split --merge, "
            "then create from the merged file"
        )
    return ModelFileKind(GGUF, _media_type(header), header)


def check_quantization(wanted: str, has: str) -> None:
    """Accept what needs no work, and refuse the rest.

    Args:
        wanted: what the client asks for, in any case.
        has: the file's type.

    Raises:
        RequestError: there is no such type.
        UnsupportedCapabilityError: the file would have to be quantised.
    """
    kind = _QUANTIZATIONS.get(wanted.upper())
    if kind is None:
        raise RequestError(
            f"unsupported quantization type {wanted} - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        )
    if kind != has:
        raise UnsupportedCapabilityError(
            f"this server does not quantize: make a {kind} file with llama.cpp's llama-quantize, then create from it"
        )


def _media_type(header: GGUFHeader) -> str:
    kind = header.text("general.type")
    if kind == "adapter":
        return media_types.ADAPTER
    only_sees = header.fact("block_count") is None and header.fact("vision.block_count") is not None
    encodes = header.architecture == "clip" and any(
        key.startswith("clip.has_") and key.endswith("_encoder") and value is True
        for key, value in header.metadata.items()
    )
    return media_types.PROJECTOR if kind in ("projector", "mmproj") or only_sees or encodes else media_types.MODEL
