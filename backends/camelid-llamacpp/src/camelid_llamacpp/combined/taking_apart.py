"""The language model and the projector of a file that holds both."""

from pathlib import Path
from typing import Final

import msgspec

from camelid.errors import ModelLoadError
from camelid_llamacpp.combined.assembly import Assembly
from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.family import Family, ProjectorNames
from camelid_llamacpp.combined.families.table import FAMILIES
from camelid_llamacpp.combined.gguf_file import GGUFFile, read_gguf
from camelid_llamacpp.combined.numbers import as_floats
from camelid_llamacpp.combined.values import FLOAT32, array_value, bool_value

__all__ = ("CombinedFile", "named_projector", "take_apart")

_ENCODERS: Final = ("v.", "mm.", "a.", "s.", "model.vision_tower.")
"""How names of tensors begin that belong to a projector."""
_OTHERS: Final = ("mtp.",)
"""The same of tensors that guess ahead, by names that llama.cpp does not know."""
_ORDINARY: Final = Family()

_WHOLES: Final = (
    *("block_count", "embedding_length", "feed_forward_length", "attention.head_count"),
    *("image_size", "patch_size", "num_channels", "spatial_merge_size", "window_size"),
)
"""Whole numbers with the same names below the architecture's `vision.` and below `clip.vision.`."""
_KINDS: Final = ("clip.projector_type", "clip.vision.projector_type", "clip.audio.projector_type")
_EPSILON: Final = "attention.layer_norm_epsilon"


class CombinedFile(msgspec.Struct, frozen=True):
    """What llama.cpp can be given instead of a file."""

    language: Assembly
    projector: Assembly | None
    """None if there is none, or none that llama.cpp could use."""


def take_apart(path: Path, owner: str) -> CombinedFile | None:
    """Look at a GGUF file, and take it apart if need be.

    Args:
        path: of the file.
        owner: whose it is, for errors: `model 'x'`.

    Returns:
        None if llama.cpp reads the file as it is.

    Raises:
        ModelLoadError: it cannot be read.
        InvalidModelFileError: it is damaged.
    """
    file = read_gguf(path, owner)
    family = FAMILIES.get(file.architecture, _ORDINARY)
    encoders = [name for name in file.tensors if name.startswith(_ENCODERS)]
    kept = [name for name in file.tensors if not name.startswith(_ENCODERS + _OTHERS)]
    if file.architecture == "clip" or not (len(kept) < len(file.tensors) or _is_marked(file, family)):
        return None
    if not kept:
        raise ModelLoadError(f"the file of {owner} holds no language model")
    language = Draft(file, file.metadata, kept)
    family.language(language)
    projector = _projector(file, encoders, family.projector) if family.projector is not None and encoders else None
    return CombinedFile(language.assemble(), projector)


def named_projector(path: Path, owner: str) -> Assembly | None:
    """A projector's file that does not say which kind it is of, as those of LLaVA 1.5 do not, with the kind that there
    was when there was one only (contract 15.2).

    Args:
        path: of the file.
        owner: whose it is, for errors: `the projector of model 'x'`.

    Returns:
        None if the file says so, or is no projector.

    Raises:
        ModelLoadError: it cannot be read.
        InvalidModelFileError: it is damaged.
    """
    file = read_gguf(path, owner)
    if file.architecture != "clip" or not file.metadata.keys().isdisjoint(_KINDS):
        return None
    draft = Draft(file, file.metadata, file.tensors)
    draft.set_text("clip.projector_type", "mlp")
    return draft.assemble()


def _is_marked(file: GGUFFile, family: Family) -> bool:
    """Whether Ollama wrote the file in its own way."""
    keys = {f"{file.architecture}.{mark}" for mark in family.marks}
    lacking = bool(family.lacks) and f"{file.architecture}.{family.lacks}" not in file.metadata
    named = bool(family.mark_tensors) and any(name.endswith(family.mark_tensors) for name in file.tensors)
    return family.foreign or lacking or named or not keys.isdisjoint(file.metadata)


def _projector(file: GGUFFile, names: list[str], known: ProjectorNames) -> Assembly:
    metadata = {key: value for key, value in file.metadata.items() if not key.startswith("tokenizer.")}
    draft = Draft(file, metadata, [name for name in names if not known.without or not name.startswith(known.without)])
    _describe(draft, known)
    known.adjust(draft)
    draft.rename(*known.tensors)
    for name in known.floats:
        if name in draft.tensors:
            draft.tensors[name] = as_floats(draft.tensors[name])
    draft.set_text("general.architecture", "clip")
    return draft.assemble()


def _describe(draft: Draft, known: ProjectorNames) -> None:
    """Say what llama.cpp wants to know of a projector. Numbers get the types that it insists on."""
    architecture = draft.architecture
    wholes = {key: f"vision.{key}" for key in _WHOLES} | {"projection_dim": "embedding_length"} | dict(known.keys)
    for key, told in wholes.items():
        number = draft.whole(f"{architecture}.{told}")
        number = known.defaults.get(key) if number is None else number
        if number is not None:
            draft.set_whole(f"clip.vision.{key}", number)
    for key, number in known.defaults.items():
        if f"clip.vision.{key}" not in draft.metadata:
            draft.set_whole(f"clip.vision.{key}", number)
    for key, told in {_EPSILON: f"vision.{_EPSILON}", **known.decimals}.items():
        decimal = draft.decimal(f"{architecture}.{told}")
        draft.default_decimal(f"clip.vision.{key}", known.epsilon if decimal is None else decimal)
    for key, numbers in (("image_mean", known.mean), ("image_std", known.spread)):
        own = draft.decimals(f"{architecture}.vision.{key}")
        draft.metadata[f"clip.vision.{key}"] = array_value(FLOAT32, own if len(own) == len(numbers) else numbers)
    draft.metadata["clip.has_vision_encoder"] = bool_value(true=True)
    if known.activation:
        draft.metadata[f"clip.use_{known.activation}"] = bool_value(true=True)
    draft.set_text("clip.projector_type", known.kind)
