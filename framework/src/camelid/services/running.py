"""The models that are in memory (contract 7.2)."""

from camelid.engine.pool import Pool, RunningModel
from camelid.services.loading import Models

__all__ = ("Running",)


class Running:
    """Lists and stops running models."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    def list(self) -> list[RunningModel]:
        """All that are loaded, loading or on their way out; the one that stays longest first."""
        return self._pool.running()

    async def stop(self, asked: str) -> None:
        """Unload a model as soon as it is idle; nothing happens if it is not loaded.

        Raises:
            ModelNotFoundError: there is no such model.
        """
        model = await self._models.find(asked)
        await self._pool.unload(model.stored.artifact.key)
