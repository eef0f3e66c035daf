"""Which worker shall wait for a model, and from when on."""

import asyncio
from collections.abc import Iterable
from typing import Final

from camelid.contracts.placement import Placement, WorkerPreparation
from camelid.plugins.catalog import RegisteredBackend
from camelid.settings import Settings

__all__ = ("Spares",)

_LIKELY_FORMAT: Final = "gguf"
"""Of the first model: nearly all that a store in Ollama's layout has."""
_REST_SECONDS: Final = 10.0
"""Between the load that took the last one and the start of the next: the first answer needs the processor more."""


class Spares:
    """Keeps one worker waiting, for the backend that the last model was loaded on."""

    def __init__(self, placement: Placement, settings: Settings) -> None:
        self._placement = placement
        # Where plugins are being edited, a worker that waits would have imported them before the last edit.
        self._wanted = settings.spare_worker and not settings.reload_plugins
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, backends: Iterable[RegisteredBackend]) -> None:
        """The server starts: prepare for the backend that most probably is needed first."""
        likely = [backend for backend in backends if backend.descriptor.modules]
        likely.sort(key=lambda each: (_LIKELY_FORMAT in each.descriptor.formats, each.descriptor.priority))
        if likely:
            self._prepare(likely[-1])

    def replace(self, backend: RegisteredBackend) -> None:
        """A model was loaded on this backend; the next one may be soon."""
        self._stop()
        self._timer = asyncio.get_running_loop().call_later(_REST_SECONDS, self._prepare, backend)

    async def close(self) -> None:
        """The server ends."""
        self._stop()
        await self._placement.close()

    def _prepare(self, backend: RegisteredBackend) -> None:
        modules = backend.descriptor.modules
        if self._wanted and modules:
            self._placement.prepare(WorkerPreparation(backend.plugin, modules))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
