"""What lists and reports say of every model (contract 7.1, 7.3)."""

from typing import Final

import msgspec

from camelid.contracts.gguf_values import Array
from camelid.store.gguf import GGUFHeader
from camelid.store.stored import StoredModel
from camelid.types.json import JsonObject

__all__ = ("ModelDetails", "details_of", "info_of", "metadata_of")

_LEFT_OUT: Final = frozenset({"general.name", "tokenizer.chat_template"})
"""Said elsewhere, or too long (contract 7.3)."""


class ModelDetails(msgspec.Struct, frozen=True):
    """The object `details`."""

    parent_model: str
    format: str
    family: str
    families: tuple[str, ...]
    """Empty where Ollama says null."""
    parameter_size: str
    """In words: `8.0B`."""
    quantization_level: str
    context_length: int
    """Tokens; 0 if unknown."""
    embedding_length: int
    """0 if unknown."""


def details_of(model: StoredModel) -> ModelDetails:
    """The config's words, and where it has none those of the model's file."""
    config, header = model.config, model.header
    quantization = config.file_type
    if header is not None and quantization in ("", "unknown"):
        quantization = header.file_type
    return ModelDetails(
        parent_model=model.parent,
        format=config.model_format,
        family=config.model_family,
        families=config.model_families,
        parameter_size=config.model_type,
        quantization_level=quantization,
        context_length=config.context_length or (0 if header is None else header.context_length),
        embedding_length=config.embedding_length or (0 if header is None else header.embedding_length),
    )


def info_of(model: StoredModel, header: GGUFHeader | None, *, verbose: bool) -> JsonObject:
    """The object `model_info`: the file's metadata, or what the config knows of other formats.

    Args:
        model: whose.
        header: of its main file; None if that is no GGUF file, or a broken one.
        verbose: read arrays from the disk; else those that are not empty are null.

    Raises:
        InvalidModelFileError: the file cannot be read any more.
    """
    config = model.config
    if header is not None:
        return metadata_of(header, verbose=verbose)
    if not config.model_family:
        return {}
    facts = {
        "general.architecture": config.model_family,
        "general.basename": config.base_name,
        f"{config.model_family}.context_length": config.context_length,
        f"{config.model_family}.embedding_length": config.embedding_length,
    }
    return {key: value for key, value in facts.items() if value}


def metadata_of(header: GGUFHeader, *, verbose: bool) -> JsonObject:
    """A file's metadata in alphabetical order, and how many parameters it has.

    Raises:
        InvalidModelFileError: the file cannot be read any more.
    """
    info: JsonObject = {"general.parameter_count": header.parameter_count}
    for key, value in header.metadata.items():
        if key in _LEFT_OUT:
            continue
        if isinstance(value, Array):
            info[key] = value.read() if verbose or not value.count else None
        else:
            info[key] = value
    return dict(sorted(info.items()))
