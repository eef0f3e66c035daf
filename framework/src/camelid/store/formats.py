"""What kind of model file it is, from its first bytes (contract 15.1)."""

from pathlib import Path

import msgspec

from camelid.contracts.gguf_values import open_model_file
from camelid.store.gguf import MAGIC

__all__ = ("GGML", "GGUF", "ONNX", "sniff_format")

GGUF = "gguf"
GGML = "ggml"
"""The files before GGUF, of several layouts."""
ONNX = "onnx"
"""A folder: the file with the graph, perhaps one with its weights, and their companions."""

_GGML_MAGICS = (b"lmgg", b"fmgg", b"tjgg", b"ccgg")
_DESCRIPTION_LIMIT = 1 << 20


class _Description(msgspec.Struct):
    """A model that is described in JSON instead of stored as weights names the format of its backend."""

    camelid_backend: str


def sniff_format(path: Path) -> str | None:
    """`gguf`, `ggml`, the format that a JSON description names, or None if nothing is known.

    Raises:
        InvalidModelFileError: the file cannot be opened.
    """
    with open_model_file(path) as file:
        start = file.read(_DESCRIPTION_LIMIT)
    if start.startswith(MAGIC):
        return GGUF
    if start.startswith(_GGML_MAGICS):
        return GGML
    try:
        return msgspec.json.decode(start, type=_Description).camelid_backend or None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
