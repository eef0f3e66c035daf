"""A model in ctransformers' memory, and what is built on it."""

import os
import sys
from pathlib import Path
from typing import Final

import msgspec

from camelid import LoadedModel
from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid.types.vocabulary import Vocabulary
from camelid_ctransformers.cache import RewrittenFiles, cache_folders
from camelid_ctransformers.decoder import CTransformersDecoder
from camelid_ctransformers.families import family_named
from camelid_ctransformers.ggml_file import read_ggml
from camelid_ctransformers.gguf_file import GGUF_MAGIC, GGUFFile, read_gguf
from camelid_ctransformers.library import Library
from camelid_ctransformers.options import CTransformersOptions
from camelid_ctransformers.rewriting import check_computable, needs_rewriting, plan_rewriting
from camelid_ctransformers.vocabulary import ggml_vocabulary

__all__ = ("CTransformersModel",)

_LLAMA_BATCH: Final = 512
"""Tokens for which llama.cpp's buffers are made."""
_OTHER_BATCH: Final = 8
"""Tokens that the fixed buffers of the other families are good for, also late in a long context."""
_FEW_CPUS: Final = 4


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the library can be given, and what is known of it."""

    path: Path
    model_type: str
    architecture: str
    tokens: int
    """Size of its vocabulary."""
    begin: str
    """What people write for the token that begins a text; empty if there is none."""
    end: str
    """For the one that ends it."""
    context_length: int
    """Tokens that it was trained on."""
    layers: int
    width: int
    cache_width: int
    """Elements of a token's keys in one layer, and of its values."""
    cache_element: int = 2
    """Bytes."""
    batch: int = _LLAMA_BATCH
    """Tokens that are computed at once, if nobody says otherwise."""
    trims: bool = True
    """Whether the end of a sequence can be forgotten."""
    chat_template: str = ""
    vocabulary: Vocabulary | None = None
    """Of older files; GGUF metadata is for everyone to read."""


class CTransformersModel(LoadedModel):
    """Owns a model of the library."""

    def __init__(self, artifact: ModelArtifact, options: LoadOptions) -> None:
        """Load a GGML or GGUF file.

        Raises:
            InvalidModelFileError: it is damaged.
            ModelLoadError: ctransformers cannot read or compute it, or an option is wrong.
            MissingDependencyError: ctransformers is not installed.
        """
        try:
            self._extra = msgspec.convert(options.backend, CTransformersOptions)
        except msgspec.ValidationError as error:
            raise ModelLoadError(f"the backend ctransformers cannot use these options: {error}") from error
        library = Library(self._extra.instructions)
        self._options = options
        self._source = _find_source(artifact, self._extra)
        name = f"model {artifact.name!r}"
        loaded = library.load(
            self._source.path,
            self._source.model_type,
            context_length=options.context_length,
            memory_map=options.memory_map is not False,
            lock_memory=self._extra.lock_memory,
        )
        if loaded is None:
            raise ModelLoadError(
                f"ctransformers could not load {name}: there is not enough memory, or the file is damaged",
                reason=f"as {self._source.model_type}; the worker's standard error may say more",
            )
        self._native = loaded
        if loaded.vocabulary_size != self._source.tokens:
            loaded.close()
            raise InvalidModelFileError(f"the file of {name} is damaged: its numbers of tokens differ")
        self._context_length = min(options.context_length, loaded.context_length)

    @property
    def facts(self) -> ModelFacts:
        """What the file says."""
        source = self._source
        return ModelFacts(
            architecture=source.architecture,
            vocabulary_size=source.tokens,
            trained_context=source.context_length,
            context_length=self._context_length,
            embedding_length=source.width,
            layers=source.layers,
            chat_template=source.chat_template,
            bos_token=source.begin,
            eos_token=source.end,
            capabilities=frozenset({Capability.COMPLETION, Capability.LOGPROBS}),
        )

    @property
    def vocabulary(self) -> Vocabulary | None:
        """That of an older file."""
        return self._source.vocabulary

    def memory(self) -> tuple[MemoryUse, ...]:
        """The file, and the cache as the library lays it out."""
        source = self._source
        cells = self._native.context_length * source.layers
        weights = source.path.stat().st_size
        return (MemoryUse("cpu", weights, 2 * cells * source.cache_width * source.cache_element),)

    def decoder(self) -> CTransformersDecoder:
        """Its only one."""
        wanted = self._extra.batch_size if self._extra.batch_size > 0 else self._source.batch
        return CTransformersDecoder(
            self._native,
            context_length=self._context_length,
            batch_size=min(wanted, _LLAMA_BATCH),
            threads=self._options.threads or _threads(),
            trims=self._source.trims,
        )

    def close(self) -> None:
        """Give the memory back."""
        self._native.close()


def _find_source(artifact: ModelArtifact, options: CTransformersOptions) -> _Source:
    """Look at the model's file; rewrite it if need be."""
    file, name = artifact.model, f"model {artifact.name!r}"
    path = Path(file.path)
    try:
        with path.open("rb") as opened:
            magic = opened.read(len(GGUF_MAGIC))
    except OSError as error:
        raise ModelLoadError(f"the file of {name} cannot be read", reason=str(error)) from error
    if magic == GGUF_MAGIC:
        return _gguf_source(file, read_gguf(path, name), options)
    named = artifact.config.get("model_family")
    family = family_named(named) if isinstance(named, str) else None
    return _ggml_source(path, name, options.model_type or (family.name if family else ""))


def _gguf_source(file: ModelFile, gguf: GGUFFile, options: CTransformersOptions) -> _Source:
    check_computable(gguf)
    tokens = gguf.tokens()
    path = _rewritten(file, gguf, len(tokens), options) if needs_rewriting(gguf) else Path(file.path)
    heads, width = gguf.fact("attention.head_count"), gguf.fact("embedding_length")
    sharing = gguf.whole(f"{gguf.architecture}.attention.head_count_kv") or heads
    return _Source(
        path=path,
        model_type="gguf",
        architecture=gguf.architecture,
        tokens=len(tokens),
        begin=_written(tokens, gguf.whole("tokenizer.ggml.bos_token_id")),
        end=_written(tokens, gguf.whole("tokenizer.ggml.eos_token_id")),
        context_length=gguf.fact("context_length"),
        layers=gguf.fact("block_count"),
        width=width,
        cache_width=width // heads * sharing,
        chat_template=gguf.text("tokenizer.chat_template"),
    )


def _rewritten(file: ModelFile, gguf: GGUFFile, tokens: int, options: CTransformersOptions) -> Path:
    """The file's rewritten form, in the first folder where it can be.

    Raises:
        ModelLoadError: it can be in none.
    """
    rewriting = plan_rewriting(gguf, tokens)
    refusals = []
    for folder in cache_folders(Path(file.path)):
        try:
            return RewrittenFiles(folder, options.cache_gigabytes).obtain(file, rewriting)
        except (OSError, EOFError) as error:
            refusals.append(f"{folder}: {error}")
    raise ModelLoadError(
        f"ctransformers needs {gguf.name} in an older form, and that could be written nowhere",
        reason="; ".join(refusals),
    )


def _ggml_source(path: Path, name: str, model_type: str) -> _Source:
    ggml = read_ggml(path, name, model_type)
    heads, width = ggml.fields["n_head"], ggml.fields["n_embd"]
    vocabulary = ggml_vocabulary(ggml)
    written = {token: text for text, token in vocabulary.control.items()}
    return _Source(
        path=path,
        model_type=ggml.family.name,
        architecture=ggml.family.name,
        tokens=len(vocabulary.pieces),
        begin=written.get(-1 if vocabulary.begin is None else vocabulary.begin, ""),
        end=written.get(-1 if vocabulary.end is None else vocabulary.end, ""),
        vocabulary=vocabulary,
        context_length=ggml.context_length,
        layers=ggml.fields["n_layer"],
        width=width,
        cache_width=width // heads * ggml.fields.get("n_head_kv", heads),
        cache_element=4 if ggml.family.name in ("gpt2", "starcoder", "falcon") else 2,
        batch=_LLAMA_BATCH if ggml.family.name == "llama" else _OTHER_BATCH,
        trims=ggml.family.name != "falcon",
    )


def _written(tokens: list[bytes], token: int | None) -> str:
    """The text of a token; empty if there is none."""
    return tokens[token].decode("utf-8", "replace") if token is not None and 0 <= token < len(tokens) else ""


def _threads() -> int:
    """As many as there are processors, or half of them if they are many and most likely hyper-threads."""
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return cpus if cpus <= _FEW_CPUS else cpus // 2
