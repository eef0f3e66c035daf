"""GET /api/ps, and its older name /api/running (contract 7.2)."""

import msgspec
from litestar import Response, get

from camelid.api.description import Description
from camelid.api.ollama.details import DetailsReply
from camelid.api.request import ApiServices
from camelid.api.responses import json_reply
from camelid.api.timestamps import local_time
from camelid.engine.request import RunningModel
from camelid.store.config import read_config

__all__ = ("running",)


class CacheReply(msgspec.Struct):
    """What a model remembers of prompts, and the most that it may."""

    tokens: int
    """That the KV cache can hold, for all sequences together."""
    tokens_used: int
    memory: int
    """Bytes of host memory for prompts that had to leave it."""
    memory_used: int
    disk: int
    """Bytes of files for those of all models."""
    disk_used: int
    """Bytes of this model's files."""


class RunningEntry(msgspec.Struct):
    """A model in memory."""

    name: str
    model: str
    size: int
    """Bytes on all devices."""
    digest: str
    details: DetailsReply
    expires_at: str
    size_vram: int
    """Of these, bytes on accelerators."""
    context_length: int
    backend: str
    """Camelid's own: which backend holds it."""
    backend_reason: str
    """Camelid's own: why that one was chosen."""
    runtime: str
    """Camelid's own: the library that computes it, and on what."""
    cache: CacheReply
    """Camelid's own."""


class RunningReply(msgspec.Struct):
    """The list."""

    models: list[RunningEntry]


def _entry(model: RunningModel) -> RunningEntry:
    config, usage = read_config(model.config), model.usage
    return RunningEntry(
        name=model.name,
        model=model.name,
        size=model.size,
        digest=model.digest,
        details=DetailsReply(
            parent_model="",
            format=config.model_format,
            family=config.model_family,
            families=config.model_families or None,
            parameter_size=config.model_type,
            quantization_level=config.file_type,
        ),
        expires_at=local_time(model.expires_at),
        size_vram=model.size_vram,
        context_length=model.context_length,
        backend=model.backend,
        backend_reason=model.backend_reason,
        runtime=model.runtime,
        cache=CacheReply(
            tokens=usage.cells,
            tokens_used=usage.cells_used,
            memory=usage.prefix_memory,
            memory_used=usage.prefix_memory_used,
            disk=usage.prefix_disk,
            disk_used=usage.prefix_disk_used,
        ),
    )


@get(["/api/ps", "/api/running"], opt={"description": Description(answer=RunningReply)})
async def running(services: ApiServices) -> Response[bytes]:
    """The models in memory, the one that stays longest first."""
    return json_reply(RunningReply([_entry(model) for model in services.pool.running()]))
