"""What the services ask the pool for, and what the pool shows of itself."""

import msgspec

from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.json import JsonObject
from camelid.types.memory import MemoryUse
from camelid.types.options import Options
from camelid.types.usage import EngineUsage

__all__ = ("LoadRequest", "RunningModel")


class LoadRequest(msgspec.Struct, frozen=True):
    """A model that somebody needs in memory."""

    name: str
    """As people call it; shown by `running`."""
    digest: str
    """Of the manifest, 64 hex digits; shown by `running`."""
    artifact: ModelArtifact
    options: Options = Options()
    """Of this request, with the model's parameters merged in."""
    trained_context: int = 0
    """Tokens the model was trained to attend to; 0 = unknown."""
    cache_bytes_per_token: int = 0
    """Bytes of KV cache for one token in f16; 0 = unknown."""
    completion: bool = True
    """Whether the model generates; one that only embeds gets a single sequence (contract 16.2)."""
    needs: frozenset[Capability] = frozenset()
    """What its backend should be able to do."""
    named_by_model: str | None = None
    """The backend that the model's own parameters name."""
    layers: int = 0
    """Of the model, without the one that gives logits; 0 = unknown."""


class RunningModel(msgspec.Struct, frozen=True):
    """A model in memory, on its way in or on its way out (contract 7.2)."""

    name: str
    """As it was called when it was loaded."""
    digest: str
    backend: str
    """Name of the backend that holds it."""
    size: int
    """Bytes on all devices."""
    size_vram: int
    """Of these, bytes on accelerators."""
    context_length: int
    """Tokens that one sequence may hold."""
    expires_at: float
    """Seconds since the epoch; in the past while it is being unloaded."""
    config: JsonObject = {}
    """The model's config blob (contract 13.3)."""
    runtime: str = ""
    """What computes it, for people: library, version and device; empty while it is being loaded."""
    backend_reason: str = ""
    """Why that backend was chosen."""
    usage: EngineUsage = EngineUsage()
    """What its engine holds and has done, as it said last."""
    memory: tuple[MemoryUse, ...] = ()
    """Of `size`, what is where."""
