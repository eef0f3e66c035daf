"""A GGUF model in memory, and what is built on it."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from camelid import BatchLimits, LoadedModel
from camelid.errors import InvalidModelFileError, ModelLoadError, ModelMemoryError
from camelid.types.artifact import FileRole, ModelArtifact, ModelFile
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid_llamacpp.adapters import Adapters
from camelid_llamacpp.buffers import memory_by_device
from camelid_llamacpp.combined.assembly import Assembly
from camelid_llamacpp.combined.gguf_file import GGUF_MAGIC
from camelid_llamacpp.combined.stream import written_file
from camelid_llamacpp.combined.taking_apart import named_projector
from camelid_llamacpp.context import Context, context_parameters
from camelid_llamacpp.decoder import OUTPUT_ROWS, LlamaDecoder
from camelid_llamacpp.drafter import Drafter
from camelid_llamacpp.embedder import EMBEDDING_SEQUENCES, LlamaEmbedder, splits_inputs
from camelid_llamacpp.encodings import Encodings
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.media import LlamaMediaTokenizer
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.options import LlamaCppOptions
from camelid_llamacpp.projector import Projector, ProjectorOptions
from camelid_llamacpp.rank_head import look_for_rank_head
from camelid_llamacpp.ranker import LlamaRanker, PairTemplate, read_pair_template
from camelid_llamacpp.sight import Sight
from camelid_llamacpp.soundness import check_soundness
from camelid_llamacpp.tokenizer import LlamaTokenizer
from camelid_llamacpp.traits import ModelTraits, metadata, read_traits
from camelid_llamacpp.weights import load_weights

__all__ = ("LlamaModel",)

_MOST_CELLS = 2**31 - 1
_WHOLE_INPUT_TOKENS = 2048
"""Longest input of models that need all of it in one computation: Ollama's default for them (contract 3.1)."""


class LlamaModel(LoadedModel):
    """Owns a `llama_model`, and closes the contexts on it that are still open."""

    def __init__(self, artifact: ModelArtifact, options: LoadOptions) -> None:
        """Load the model's file or files, and its adapters.

        Raises:
            InvalidModelFileError: not a GGUF file, or a damaged one, or one that llama.cpp cannot compute.
            ModelMemoryError: not enough memory, for the weights or for the KV cache.
            ModelLoadError: llama.cpp does not know such models, an adapter is for another, or an option is wrong.
            UnsupportedCapabilityError: llama.cpp cannot apply such an adapter.
        """
        try:
            self._extra = msgspec.convert(options.backend, LlamaCppOptions)
        except msgspec.ValidationError as error:
            raise ModelLoadError(f"the llama.cpp backend cannot use these options: {error}") from error
        self._name = artifact.name
        self._options = options
        self._contexts: list[Context] = []
        self._adapters: Adapters | None = None
        self._drafter: Drafter | None = None
        self._projector: Projector | None = None
        self._pair_template: PairTemplate | None = None
        NATIVE_LOG.install()
        llama_cpp.llama_backend_init()
        NATIVE_LOG.take_complaints()
        NATIVE_LOG.take_buffers()
        model, adapter = f"model {self._name!r}", f"the adapter of model {self._name!r}"
        adapters = [os.fsencode(_checked(file.path, adapter)) for file in artifact.with_role(FileRole.ADAPTER)]
        files = [_checked(file.path, model) for file in artifact.with_role(FileRole.MODEL)]
        weights = load_weights(self._name, files, options, self._extra)
        self._handle = weights.handle
        try:
            self._adapters = Adapters(self._name, self._handle, adapters)
            self._buffers = NATIVE_LOG.take_buffers()
            self._traits = look_for_rank_head(self._handle, read_traits(self._handle), files, model)
            check_soundness(self._name, self._handle, self._traits, files[0])
            self._pair_template = self._read_pair_template()
            self._projector = self._load_projector(artifact.with_role(FileRole.PROJECTOR), weights.projector)
            self._facts = self._read_facts()
            self._drafter = self._load_drafter(artifact.with_role(FileRole.DRAFT))
            # Opened now, so that a cache that does not fit is a failure to load, and `memory` tells of it.
            self._prepared = self._open_decoder() if self._traits.generates else None
        except BaseException:
            self.close()
            raise

    def _read_pair_template(self) -> PairTemplate | None:
        """How a reranker wants to read pairs; None if the model is none, or cannot tell a query from a document."""
        tokenizer = self.tokenizer() if self._traits.ranks else None
        return read_pair_template(self._handle, tokenizer) if tokenizer is not None else None

    def _load_projector(self, files: Sequence[ModelFile], within: Assembly | None) -> Projector | None:
        """The first of the projectors, as in Ollama, else the one in the model's own file; None if there is none, or
        nobody could be shown a picture.
        """
        if not self._traits.generates or (not files and within is None):
            return None
        parameters = context_parameters(self._options, self._extra)
        options = ProjectorOptions(
            gpu=self._options.gpu_layers != 0,
            threads=parameters.n_threads_batch,
            flash_attention=parameters.flash_attn_type,
        )
        owner = f"the projector of model {self._name!r}"
        if files:
            path = _checked(files[0].path, owner)
            within = named_projector(path, owner)
            if within is None:
                return Projector(self._name, os.fsencode(path), self._handle, options)
        if within is None:
            return None
        with written_file(within, owner) as path:
            return Projector(self._name, os.fsencode(path), self._handle, options)

    def _load_drafter(self, files: Sequence[ModelFile]) -> Drafter | None:
        """The first of the draft models; None if there is none, or no guesses are wanted."""
        options = self._options
        if not files or not options.draft_tokens or not self._traits.generates:
            return None
        path = _checked(files[0].path, f"the draft model of {self._name!r}")
        handle = load_weights(self._name, [path], options, self._extra).handle
        self._buffers += NATIVE_LOG.take_buffers()
        parameters = context_parameters(options, self._extra)
        parameters.n_ctx = self._facts.context_length * options.parallel
        parameters.n_batch = parameters.n_ubatch = options.batch_tokens
        parameters.n_seq_max = options.parallel
        return Drafter(self._name, handle, self._handle, parameters)

    @property
    def facts(self) -> ModelFacts:
        """What the files say."""
        return self._facts

    def memory(self) -> tuple[MemoryUse, ...]:
        """The model and what came with it, and all open contexts, by device; mapped weights count as if read."""
        owners: list[Context | Drafter | Projector] = [context for context in self._contexts if not context.closed]
        if self._drafter is not None:
            owners.append(self._drafter)
        if self._projector is not None:
            owners.append(self._projector)
        return memory_by_device([*self._buffers, *(buffer for owner in owners for buffer in owner.buffers)])

    def tokenizer(self) -> LlamaTokenizer | None:
        """A tokenizer, valid until the model is closed; None if the file has no vocabulary."""
        if not self._traits.tokenizes:
            return None
        return LlamaTokenizer(llama_cpp.llama_model_get_vocab(self._handle))

    def decoder(self) -> LlamaDecoder | None:
        """A decoder with `parallel` sequences, or None if the model does not generate.

        Raises:
            ModelError: a second one's context could not be allocated.
        """
        if not self._traits.generates:
            return None
        prepared, self._prepared = self._prepared, None
        return prepared or self._open_decoder()

    def _open_decoder(self) -> LlamaDecoder:
        options = self._options
        cells = self._facts.context_length * options.parallel
        if cells > _MOST_CELLS:
            raise ModelMemoryError(f"a context of {cells} tokens is more than llama.cpp can count; use a smaller one")
        parameters = context_parameters(options, self._extra)
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = max(options.batch_tokens, self._undivided_tokens())
        parameters.n_seq_max = options.parallel
        parameters.n_outputs_max = max(OUTPUT_ROWS, options.parallel)
        context = self._open(parameters)
        limits = BatchLimits(
            sequences=options.parallel,
            cells=llama_cpp.llama_n_ctx(context.handle),
            context_length=self._facts.context_length,
            batch_tokens=min(options.batch_tokens, llama_cpp.llama_n_batch(context.handle)),
        )
        return LlamaDecoder(context, self._traits, limits, self._sight(context), self._drafter)

    def _undivided_tokens(self) -> int:
        """Tokens that have to be computed at once when the model is shown a picture; 0 if any part of it will do."""
        return self._projector.most_tokens() if self._projector is not None and self._projector.undivided else 0

    def _sight(self, context: Context) -> Sight | None:
        if self._projector is None:
            return None
        encodings = Encodings(self._extra.media_cache * 2**20)
        return Sight(self._projector, encodings, llama_cpp.llama_n_ubatch(context.handle))

    def media_tokenizer(self) -> LlamaMediaTokenizer | None:
        """What takes pictures and sounds apart, valid until the model is closed; None if the model takes neither."""
        if self._projector is None:
            return None
        at_once = max(self._options.batch_tokens, self._undivided_tokens()) if self._projector.undivided else None
        return LlamaMediaTokenizer(self._projector, most_tokens=self._facts.context_length // 2, at_once=at_once)

    def embedder(self) -> LlamaEmbedder | None:
        """An embedder, or None if the model only ranks.

        Raises:
            ModelError: its context could not be allocated.
        """
        if Capability.EMBEDDING not in self._facts.capabilities:
            return None
        return self._open_embedder(self._facts.embedding_length)

    def ranker(self) -> LlamaRanker | None:
        """A ranker, or None if the model has no head that scores.

        Raises:
            ModelError: its context could not be allocated.
        """
        if self._pair_template is None:
            return None
        scorer = self._open_embedder(llama_cpp.llama_model_n_cls_out(self._handle))
        return LlamaRanker(scorer, self._pair_template, self._traits)

    def _open_embedder(self, dimensions: int) -> LlamaEmbedder:
        length = self._facts.context_length
        budget = min(self._options.batch_tokens, length)
        longest = length if splits_inputs(self._traits) else max(budget, min(length, _WHOLE_INPUT_TOKENS))
        parameters = context_parameters(self._options, self._extra)
        parameters.embeddings = True
        parameters.pooling_type = self._traits.pooling
        # llama.cpp aborts unless the sequences of a pooling context could share its batch equally.
        parameters.n_seq_max = EMBEDDING_SEQUENCES
        parameters.n_ctx = _whole_shares(length)
        parameters.n_batch = parameters.n_ubatch = _whole_shares(budget if splits_inputs(self._traits) else longest)
        return LlamaEmbedder(self._open(parameters), self._traits, dimensions, max_tokens=longest, budget=budget)

    def close(self) -> None:
        """Free contexts, then what was loaded beside the model, then the model."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        if self._drafter is not None:
            self._drafter.close()
        if self._projector is not None:
            self._projector.close()
        if self._adapters is not None:
            self._adapters.close()
        llama_cpp.llama_model_free(self._handle)

    def _open(self, parameters: llama_cpp.llama_context_params) -> Context:
        context = Context(self._name, self._handle, parameters)
        self._contexts.append(context)
        if self._adapters is not None:
            self._adapters.apply(context.handle)
        return context

    def _read_facts(self) -> ModelFacts:
        handle, options, traits = self._handle, self._options, self._traits
        trained: int = llama_cpp.llama_model_n_ctx_train(handle)
        layers: int = llama_cpp.llama_model_n_layer(handle)
        vocabulary: int = llama_cpp.llama_model_get_vocab(handle)
        template = metadata(handle, "tokenizer.chat_template")
        return ModelFacts(
            architecture=traits.architecture,
            vocabulary_size=traits.vocabulary_size,
            trained_context=trained,
            context_length=options.context_length if traits.extends else min(options.context_length, trained),
            embedding_length=llama_cpp.llama_model_n_embd_out(handle),
            parameter_count=llama_cpp.llama_model_n_params(handle),
            layers=layers,
            offloaded_layers=_offloaded_layers(options.gpu_layers, layers),
            chat_template=template,
            bos_token=_token_text(vocabulary, llama_cpp.llama_vocab_bos(vocabulary)),
            eos_token=_token_text(vocabulary, llama_cpp.llama_vocab_eos(vocabulary)),
            capabilities=_capabilities(traits, self._projector, ranks=self._pair_template is not None),
        )


def _checked(path: str, owner: str) -> Path:
    """The path, if a GGUF file lies there; `owner` says in errors whose it is."""
    try:
        with Path(path).open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise ModelLoadError(f"the file of {owner} cannot be read", reason=str(error)) from error
    if magic != GGUF_MAGIC:
        reason = f"it begins with {magic!r}"
        raise InvalidModelFileError(f"the file of {owner} is not a GGUF file", reason=reason)
    return Path(path)


def _whole_shares(tokens: int) -> int:
    """The next multiple of `EMBEDDING_SEQUENCES`."""
    return -(-tokens // EMBEDDING_SEQUENCES) * EMBEDDING_SEQUENCES


def _offloaded_layers(wanted: int, layers: int) -> int:
    """What `n_gpu_layers` comes to: negative means all; nothing without a GPU that this llama.cpp can use."""
    if not llama_cpp.llama_supports_gpu_offload():
        return 0
    return layers if wanted < 0 else min(wanted, layers)


def _token_text(vocabulary: int, token: int) -> str:
    if token < 0:
        return ""
    text: bytes = llama_cpp.llama_vocab_get_text(vocabulary, token)
    return text.decode("utf-8", "replace")


def _capabilities(traits: ModelTraits, projector: Projector | None, *, ranks: bool) -> frozenset[Capability]:
    capabilities = {Capability.ADAPTERS}
    if traits.tokenizes:
        capabilities.add(Capability.TOKENIZE)
    if traits.pooling != llama_cpp.LLAMA_POOLING_TYPE_RANK:
        capabilities.add(Capability.EMBEDDING)
    if ranks:
        capabilities.add(Capability.RERANK)
    if traits.generates:
        capabilities |= {Capability.COMPLETION, Capability.LOGPROBS, Capability.BATCHING, Capability.STATE_SAVE}
        if traits.shares_prefixes:
            capabilities.add(Capability.PREFIX_SHARING)
    if projector is not None and projector.sees:
        capabilities.add(Capability.VISION)
    if projector is not None and projector.hears:
        capabilities.add(Capability.AUDIO)
    return frozenset(capabilities)
