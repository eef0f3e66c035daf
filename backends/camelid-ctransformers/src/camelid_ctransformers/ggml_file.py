"""Reading an older GGML file: its family, header and vocabulary, and whether ctransformers can be given it."""

from pathlib import Path
from typing import Final

import msgspec

from camelid.errors import CamelidError, InvalidModelFileError, ModelLoadError
from camelid_ctransformers.binary import BinaryFile, opened
from camelid_ctransformers.element_types import UNQUANTIZED, tensor_bytes
from camelid_ctransformers.families import FAMILIES, MAGICS, Family, family_named

__all__ = ("GGMLFile", "read_ggml")

_MOST_TOKENS: Final = 1_000_000
_MOST_LAYERS: Final = 1000
_MOST_CELLS: Final = 2**31
"""Elements of one of the library's caches, which it counts in 32 bits."""
_QUANTIZATION_FACTOR: Final = 1000
_QUANTIZATION_VERSION: Final = 2
_ALIGNMENT: Final = 32


class GGMLFile(msgspec.Struct, frozen=True):
    """What an older GGML file says of itself."""

    family: Family
    fields: dict[str, int]
    tokens: list[bytes]
    scores: list[float]
    """One for each token, if the family has scores."""

    @property
    def context_length(self) -> int:
        """Tokens it was trained on; LLaMA's and Falcon's files do not say, and both were trained on 2048."""
        return self.fields.get("n_ctx", 2048)


def read_ggml(path: Path, name: str, model_type: str = "") -> GGMLFile:
    """Read a file, all but its weights.

    Args:
        path: where it is.
        name: whose file it is, for errors: `model 'x'`.
        model_type: its family, if that is known; else it is found out.

    Raises:
        InvalidModelFileError: it is damaged, or of no known family.
        ModelLoadError: the family is unknown, or another one's, or ctransformers cannot read this version.
    """
    wanted = family_named(model_type) if model_type else None
    if model_type and wanted is None:
        known = ", ".join(sorted(family.name for family in FAMILIES))
        raise ModelLoadError(f"ctransformers has no model type {model_type!r}; it has: {known}")
    with opened(path, name) as file:
        magic = bytes(file.read(min(4, file.size)))
        if magic not in MAGICS:
            raise InvalidModelFileError(f"the file of {name} is no GGML file", reason=f"it begins with {magic!r}")
        able = [family for family in FAMILIES if magic in family.magics and wanted in (None, family)]
        if not able:
            raise ModelLoadError(f"the file of {name} is no file of the model type {model_type!r}")
        failures = []
        for family in able:
            try:
                return _read(file, magic, family, marked=wanted is None)
            except CamelidError as error:
                failures.append(error)
    # Of families that do not fit, the one whose reading came furthest says best what is wrong; the plainer one, if two
    # came as far.
    raise max(reversed(failures), key=lambda error: int(error.reason.removeprefix("at ") or 0))


def _read(file: BinaryFile, magic: bytes, family: Family, *, marked: bool) -> GGMLFile:
    file.position = len(magic)
    version = file.number("I") if family.magics[magic] else 0
    if version not in (family.magics[magic] or (0,)):
        raise _unsupported(file, f"version {version} of the {family.name} format")
    fields = {name: file.number("i") for name in family.fields}
    _check_fields(file, family, fields)
    if family.counts_tokens and file.number("i") != fields["n_vocab"]:
        raise file.broken("it says two different numbers of tokens")
    tokens, scores = _read_tokens(file, family, fields["n_vocab"])
    if family.merges:
        for _ in range(2 * file.number("I")):
            file.skip(file.number("I"))
    _check_quantization(file, magic, version, fields["ftype"])
    _check_tensors(file, family, fields, aligned=version > 0 and magic != b"fmgg")
    if marked and family.marks and not set(family.marks) & set(tokens):
        raise file.broken(f"it has none of the tokens of {family.name}")
    return GGMLFile(family, fields, tokens, scores)


def _check_fields(file: BinaryFile, family: Family, fields: dict[str, int]) -> None:
    sizes = {name: value for name, value in fields.items() if name.startswith("n_") and name != "n_merges"}
    heads, width = fields["n_head"], fields["n_embd"]
    sane = (
        min(sizes.values()) > 0
        and fields["n_vocab"] <= _MOST_TOKENS
        and fields["n_layer"] <= _MOST_LAYERS
        and width % heads == 0
        and sizes.get("n_ctx", 1) * width * fields["n_layer"] < _MOST_CELLS
    )
    if not sane:
        raise file.broken(f"its header is no header of {family.name}")


def _read_tokens(file: BinaryFile, family: Family, count: int) -> tuple[list[bytes], list[float]]:
    tokens, scores = [], []
    for _ in range(count):
        token = file.text()
        if family.wide:
            try:
                token = token.decode().encode("latin-1")
            except UnicodeError as error:
                raise file.broken("a token is not written as its family writes them") from error
        tokens.append(token)
        if family.scores:
            scores.append(file.decimal())
    return tokens, scores


def _check_quantization(file: BinaryFile, magic: bytes, version: int, file_type: int) -> None:
    """Refuse blocks of a layout that was given up: the library would read them as others."""
    kind, layout = file_type % _QUANTIZATION_FACTOR, file_type // _QUANTIZATION_FACTOR
    current = layout == _QUANTIZATION_VERSION if magic == b"lmgg" else version in (3, 10)
    if kind not in UNQUANTIZED and not current:
        raise _unsupported(file, "quantized weights of so old a layout; convert the model anew")


def _check_tensors(file: BinaryFile, family: Family, fields: dict[str, int], *, aligned: bool) -> None:
    known, found = family.known(fields["n_layer"]), set[str]()
    while file.rest:
        dimensions, length, kind = file.numbers("i", 3)
        if not 1 <= dimensions <= 2:
            raise file.broken(f"a tensor has {dimensions} dimensions")
        shape = file.numbers("i", dimensions)
        name = file.read(length).decode("utf-8", "replace")
        if name not in known:
            raise file.broken(f"{family.name} has no tensor {name!r}")
        size = tensor_bytes(kind, shape)
        if size is None:
            raise _unsupported(file, f"tensors as {name!r} (element type {kind}, shape {shape})")
        if name == family.embedding and shape != (fields["n_embd"], fields["n_vocab"]):
            raise file.broken(f"the tensor {name!r} has the shape {shape}")
        if aligned:
            file.align(_ALIGNMENT)
        file.skip(size)
        found.add(name)
    missing = sorted(family.required(fields["n_layer"]) - found)
    if missing:
        raise file.broken(f"the tensor {missing[0]!r} is missing")


def _unsupported(file: BinaryFile, what: str) -> ModelLoadError:
    return ModelLoadError(f"ctransformers cannot read {what}", reason=f"at {file.position}")
