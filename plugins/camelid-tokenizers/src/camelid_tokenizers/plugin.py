"""The plugin's hook. Importing this does not load tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camelid import hookimpl
from camelid.types.artifact import ModelArtifact

if TYPE_CHECKING:
    from camelid import LoadedModel, Tokenizer

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_tokenizer(model: LoadedModel, artifact: ModelArtifact) -> Tokenizer | None:
    """Of the vocabulary that the backend read, of a `tokenizer.json`, or of GGUF metadata."""
    from camelid_tokenizers.sources import find_tokenizer

    return find_tokenizer(model, artifact)
