"""One loaded model: its worker, who uses it, and when it goes."""

import asyncio
import math
import time
from typing import Final, TypeAlias

from camelid.engine.client import WorkerClient
from camelid.engine.request import LoadRequest, RunningModel
from camelid.types.events import ModelLoaded, ModelUnloaded
from camelid.types.loading import LoadOptions

__all__ = ("Key", "Runner", "expiry")

Key: TypeAlias = tuple[str, str]
"""Which model on which backend: the artifact's key and the backend's name. The same model may run on several."""

LONGEST_SECONDS: Final = 2**63 / 1e9
"""How far away "for ever" is shown: Ollama's longest duration (contract 3.2)."""


def expiry(keep_alive: float) -> float:
    """When a model that is idle from now on goes, in seconds since the epoch."""
    return time.time() + min(keep_alive, LONGEST_SECONDS)


class Runner:
    """A model in memory. The fleet keeps it; leases join and leave it."""

    def __init__(
        self,
        key: Key,
        request: LoadRequest,
        options: LoadOptions,
        client: WorkerClient,
        keep_alive: float,
        *,
        reason: str = "",
        revision: int = 0,
    ) -> None:
        self.key = key
        self.revision = revision
        """Of its backend: which edit of the plugin it runs."""
        self.reason = reason
        """Why its backend was chosen."""
        self.request = request
        """The one it was loaded for."""
        self.options = options
        self.client = client
        self.keep_alive = keep_alive
        """Seconds it stays after its last lease ended."""
        self.active = 0
        """Leases."""
        self.last_used = time.monotonic()
        self.expires_at = expiry(keep_alive)
        self.retiring = False
        """Nobody new may join: it goes when its leases have ended."""
        self.closing: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether a request may join."""
        return self.client.alive and not self.retiring and self.closing is None

    @property
    def idle(self) -> bool:
        """Whether it can be unloaded now."""
        return self.active == 0 and self.closing is None

    @property
    def overflow(self) -> int:
        """Requests beyond what it generates at once; the worker queues them."""
        return max(0, self.active - self.options.parallel)

    @property
    def eviction_order(self) -> tuple[float, float]:
        """The smallest goes first: the shortest keep-alive, then the one not used for longest (contract 16.5)."""
        return (self.keep_alive, self.last_used)

    def join(self, keep_alive: float | None) -> None:
        """Begin a lease. A given `keep_alive` replaces the duration for everyone (contract 3.2)."""
        self.stop_timer()
        self.active += 1
        if keep_alive is not None:
            self.keep_alive = keep_alive

    def leave(self) -> None:
        """End a lease."""
        self.active -= 1
        self.last_used = time.monotonic()

    def stop_timer(self) -> None:
        """It is used again, or gone."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def describe(self) -> RunningModel:
        """Its row in `/api/ps`."""
        memory = self.client.ready.memory
        return RunningModel(
            name=self.request.name,
            digest=self.request.digest,
            backend=self.key[1],
            size=sum(use.total for use in memory),
            size_vram=sum(use.total for use in memory if use.device != "cpu"),
            context_length=self.client.ready.facts.context_length,
            expires_at=self.expires_at,
            config=self.request.artifact.config,
            runtime=self.client.ready.backend_version,
            backend_reason=self.reason,
            usage=self.client.usage,
            memory=memory,
        )

    def loaded(self) -> ModelLoaded:
        """What observers are told when it came."""
        ready = self.client.ready
        return ModelLoaded(
            at=time.time(),
            model=self.request.name,
            digest=self.request.digest,
            backend=self.key[1],
            backend_reason=self.reason,
            runtime=ready.backend_version,
            context_length=ready.facts.context_length,
            memory=ready.memory,
            load_duration=ready.load_duration,
        )

    def unloaded(self, death: str) -> ModelUnloaded:
        """What observers are told when it went."""
        return ModelUnloaded(
            at=time.time(),
            model=self.request.name,
            digest=self.request.digest,
            backend=self.key[1],
            death=death,
        )

    @property
    def stays_forever(self) -> bool:
        """Whether no timer ends it."""
        return math.isinf(self.keep_alive)
