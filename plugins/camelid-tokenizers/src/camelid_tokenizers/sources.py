"""Where a model says how it is tokenized."""

from pathlib import Path, PurePosixPath
from typing import Final

from camelid import LoadedModel, Tokenizer
from camelid.contracts.gguf_values import MAGIC, Cursor, open_model_file, read_preamble
from camelid.errors import CamelidError, InvalidModelFileError
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid_tokenizers.gguf_vocabulary import gguf_vocabulary
from camelid_tokenizers.tokenizer import VocabularyTokenizer
from camelid_tokenizers.tokenizer_json import JsonTokenizer

__all__ = ("find_tokenizer",)

_JSON: Final = "tokenizer.json"


def find_tokenizer(model: LoadedModel, artifact: ModelArtifact) -> Tokenizer | None:
    """The tokenizer of a model, from the first that it has of: what its backend read of its vocabulary, a file
    `tokenizer.json`, GGUF metadata. None if it has nothing of these.

    Raises:
        InvalidModelFileError: what it has is damaged.
        ModelLoadError: what it has is for a tokenizer that is not known here.
    """
    vocabulary = model.vocabulary
    if vocabulary is not None:
        return VocabularyTokenizer(vocabulary, artifact.name)
    files = {PurePosixPath(file.name).name: file for file in artifact.files if file.name}
    if _JSON in files:
        return JsonTokenizer(Path(files[_JSON].path), model.facts, _configs(files))
    try:
        with open_model_file(Path(artifact.model.path)) as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            file.seek(0)
            metadata = read_preamble(Cursor(file, artifact.model.path)).metadata
    except OSError as error:
        raise InvalidModelFileError(f"the file of model {artifact.name!r} cannot be read", reason=str(error)) from error
    except CamelidError as error:
        error.message = f"model {artifact.name!r}: {error.message}"
        raise
    return VocabularyTokenizer(gguf_vocabulary(metadata, artifact.name), artifact.name)


def _configs(files: dict[str, ModelFile]) -> list[Path]:
    """The files that may say which tokens end an answer."""
    return [Path(files[name].path) for name in ("generation_config.json", "config.json") if name in files]
