"""How large a model is loaded: from request, settings and free memory to `LoadOptions` (contract 16.2, 16.3)."""

import os
from typing import Final

import msgspec

from camelid.engine.request import LoadRequest
from camelid.errors import RequestError
from camelid.settings import Settings
from camelid.types.artifact import FileRole
from camelid.types.descriptor import BackendDescriptor
from camelid.types.json import JsonObject
from camelid.types.loading import LoadOptions
from camelid.types.options import Options

__all__ = ("fewer_layers", "lower_context", "predicted_memory", "resolve_options", "satisfies")

LEAST_CONTEXT: Final = 4
LEAST_SEEING_CONTEXT: Final = 2048
"""Of models with a projector: a picture takes hundreds of tokens (contract 3.1)."""
DEFAULT_BATCH: Final = 512
AUTOMATIC_PARALLEL: Final = 4
CACHE_SHARE: Final = 0.25
"""Of the free memory: what the KV cache of `AUTOMATIC_PARALLEL` sequences may take."""


# What nobody needs more of. Backends make arrays and threads of these numbers, and die of the largest ones.
_MOST_CONTEXT: Final = 1 << 24
_MOST_BATCH: Final = 1 << 16
_MOST_THREADS: Final = 512

_CACHE_SCALE: Final = {"f32": 2.0, "f16": 1.0, "bf16": 1.0, "q8_0": 34 / 64, "q4_0": 18 / 64}
"""Bytes of a cache element beside those of f16."""


def resolve_options(
    request: LoadRequest, settings: Settings, descriptor: BackendDescriptor, *, available: int
) -> LoadOptions:
    """Decide everything that nobody asked for.

    Args:
        request: the model and what was asked for.
        settings: the server's defaults.
        descriptor: of the backend that will load it.
        available: bytes of memory that are free now.

    Raises:
        RequestError: the backend does not know one of `backend_options`, or it has the wrong type.
    """
    asked = request.options
    context, batch = _context_length(request, settings), asked.num_batch or 0
    one = context * _cache_bytes(request, settings.kv_cache_type)
    return LoadOptions(
        context_length=context,
        parallel=_parallel(request, settings, small=one * AUTOMATIC_PARALLEL < available * CACHE_SHARE),
        batch_tokens=min(batch, _MOST_BATCH) if batch > 0 else DEFAULT_BATCH,
        gpu_layers=-1 if asked.num_gpu is None else max(-1, asked.num_gpu),
        main_gpu=asked.main_gpu,
        threads=min(max(0, asked.num_thread or 0), _MOST_THREADS),
        memory_map=asked.use_mmap,
        flash_attention=settings.flash_attention,
        cache_type=settings.kv_cache_type,
        backend=_backend_options(asked.backend_options, descriptor),
        draft_tokens=_draft_tokens(request, settings),
        prefix_memory=max(0, min(settings.prefix_memory, available // 8)),
        prefix_disk=max(0, settings.prefix_disk),
        prefix_folder=str(settings.prefix_folder) if settings.prefix_disk > 0 else "",
        tokenizer=asked.tokenizer or "",
    )


def satisfies(
    request: LoadRequest, settings: Settings, descriptor: BackendDescriptor, *, asked: Options, loaded: LoadOptions
) -> bool:
    """Whether a model as it is loaded will do for a request (contract 16.3).

    What the request leaves open is satisfied by whatever is there, except by what somebody else made less than this
    request would get by default: context, threads, layers on accelerators. So clients that say nothing never cause a
    reload of a larger model, and nobody else's thrift slows them down.

    Args:
        request: the newcomer.
        settings: the server's defaults.
        descriptor: of the backend that loaded the model.
        asked: the options of the request that the model was loaded for.
        loaded: what they were resolved to.

    Raises:
        RequestError: as for `resolve_options`.
    """
    wanted = resolve_options(request, settings, descriptor, available=0)
    options = request.options
    if options.num_ctx is not None:
        context_fits = wanted.context_length == loaded.context_length
    else:
        context_fits = asked.num_ctx is None or wanted.context_length <= loaded.context_length
    return (
        context_fits
        and (options.num_batch is None or wanted.batch_tokens == loaded.batch_tokens)
        and (wanted.gpu_layers == loaded.gpu_layers if wanted.gpu_layers >= 0 else not _spares_layers(asked, request))
        and (options.main_gpu is None or wanted.main_gpu == loaded.main_gpu)
        and (options.use_mmap is None or wanted.memory_map == loaded.memory_map)
        and (options.draft_num_predict is None or wanted.draft_tokens == loaded.draft_tokens)
        and (options.tokenizer is None or wanted.tokenizer == loaded.tokenizer)
        and (wanted.threads == loaded.threads if wanted.threads else not _spares_threads(asked))
        and all(loaded.backend.get(name) == wanted.backend[name] for name in options.backend_options)
    )


def _spares_layers(asked: Options, request: LoadRequest) -> bool:
    """Whether somebody wanted less than the whole model on accelerators; of unknown models, nothing at all."""
    return asked.num_gpu is not None and 0 <= asked.num_gpu < request.layers + 1


def _spares_threads(asked: Options) -> bool:
    """Whether somebody wanted fewer threads than there are processors."""
    return 0 < (asked.num_thread or 0) < (os.cpu_count() or 1)


def predicted_memory(request: LoadRequest, options: LoadOptions) -> int:
    """Bytes that loading will take: the files, and the KV cache of all sequences."""
    weights = sum(file.size for file in request.artifact.files)
    tokens = options.context_length * options.parallel
    return weights + int(tokens * _cache_bytes(request, options.cache_type))


def lower_context(options: LoadOptions) -> LoadOptions | None:
    """The next smaller size to try after memory ran out (contract 16.6); None if there is none."""
    for tier in (32768, 4096):
        if options.context_length > tier:
            return msgspec.structs.replace(options, context_length=tier)
    return None


def fewer_layers(options: LoadOptions, layers: int) -> LoadOptions | None:
    """The same with a third less of the model on accelerators, to try after their memory ran out; None if nothing is
    there any more, or nobody knows how many layers there are.

    Args:
        options: what was too much.
        layers: of the model.
    """
    # llama.cpp counts what gives logits as one more.
    tried = min(layers + 1, options.gpu_layers) if options.gpu_layers >= 0 else layers + 1
    if not layers or not tried:
        return None
    return msgspec.structs.replace(options, gpu_layers=2 * tried // 3)


def _context_length(request: LoadRequest, settings: Settings) -> int:
    wanted = settings.context_length if request.options.num_ctx is None else request.options.num_ctx
    if request.artifact.with_role(FileRole.PROJECTOR):
        wanted = max(LEAST_SEEING_CONTEXT, wanted)
    if request.trained_context > 0:
        wanted = min(wanted, request.trained_context)
    return max(LEAST_CONTEXT, min(wanted, _MOST_CONTEXT))


def _parallel(request: LoadRequest, settings: Settings, *, small: bool) -> int:
    if not request.completion:
        return 1
    if settings.num_parallel > 0:
        return settings.num_parallel
    return AUTOMATIC_PARALLEL if small else 1


def _draft_tokens(request: LoadRequest, settings: Settings) -> int:
    if not settings.speculation:
        return 0
    wanted = request.options.draft_num_predict
    return -1 if wanted is None else max(0, wanted)


def _cache_bytes(request: LoadRequest, cache_type: str) -> float:
    """Bytes of KV cache for one token."""
    return request.cache_bytes_per_token * _CACHE_SCALE.get(cache_type, 1.0)


def _backend_options(given: JsonObject, descriptor: BackendDescriptor) -> JsonObject:
    """The backend's own options, checked, with its defaults filled in."""
    if descriptor.options is None:
        if given:
            raise RequestError(f'option "backend_options": the backend {descriptor.name} has none of its own')
        return {}
    try:
        checked = msgspec.convert(given, descriptor.options)
    except msgspec.ValidationError as error:
        raise RequestError(f'option "backend_options" for {descriptor.name}: {error}') from error
    plain: JsonObject = msgspec.to_builtins(checked)
    return plain
